{#- What is wrong with the list of metrics: each mistake stops dbt with a message that names the metric. -#}

{% macro metric_error(name, complaint) -%}
    {{ exceptions.raise_compiler_error(
        'Metric ' ~ name ~ ' ' ~ complaint ~ ' (dbt_project/macros/metrics/metric_definitions.sql)'
    ) }}
{%- endmacro %}

{% macro metric_vocabulary() -%}
    {{ return({
        'unit': ['count', 'currency', 'rate', 'ratio', 'seconds', 'hours', 'months', 'score', 'milliseconds'],
        'format': ['integer', 'decimal', 'percent', 'money', 'duration', 'months'],
        'direction': ['up', 'down', 'neutral'],
        'aggregation': ['sum', 'last', 'recount', 'ratio', 'derived'],
        'grain': ['day', 'week', 'month'],
        'dimension': ['branch', 'plan', 'source', 'staff', 'user_type'],
    }) }}
{%- endmacro %}

{#- Words of an expression that are neither columns nor metrics. Functions: those that look at nothing but their row. -#}
{% macro expression_words() -%}
    {{ return([
        'case', 'when', 'then', 'else', 'end', 'and', 'or', 'not', 'is', 'null', 'in', 'between', 'distinct', 'from',
        'true', 'false', 'numeric', 'bigint', 'integer',
    ]) }}
{%- endmacro %}
{% macro expression_functions() -%}
    {{ return(['nullif', 'coalesce', 'greatest', 'least', 'abs', 'round', 'numeric', 'in', 'and', 'or', 'not', 'when', 'then', 'else']) }}
{%- endmacro %}

{#- Fields of an entry, its vocabulary, and whether the parts of its aggregation are there. -#}
{% macro check_metric_entry(entry, place) -%}
    {%- if entry is not mapping -%}
        {{ metric_error('number ' ~ place, 'is no list of fields but: ' ~ entry) }}
    {%- endif -%}
    {%- set texts = ['metric', 'title', 'domain', 'description', 'formula', 'unit', 'format', 'aggregation', 'direction', 'owner'] -%}
    {%- set parts = ['value', 'numerator', 'denominator', 'week', 'month_to_date'] -%}
    {%- set known = texts + parts + ['edge_cases', 'model', 'grains', 'month', 'dimensions', 'null_until_complete'] -%}
    {%- set vocabulary = metric_vocabulary() -%}
    {%- set name = entry.get('metric') or ('number ' ~ place) -%}
    {%- for field in texts if not entry.get(field) -%}
        {{ metric_error(name, 'lacks ' ~ field) }}
    {%- endfor -%}
    {%- for field in entry if field not in known -%}
        {{ metric_error(name, 'has the unknown field ' ~ field ~ '; known: ' ~ known | join(', ')) }}
    {%- endfor -%}
    {%- if not modules.re.fullmatch('[a-z][a-z0-9_]{1,47}', name) or name in expression_words() + expression_functions() -%}
        {{ metric_error(name, 'has a name that is none: small letters, digits and _, at most 48, and no word of SQL') }}
    {%- endif -%}
    {%- for field in ['unit', 'format', 'direction', 'aggregation'] if entry[field] not in vocabulary[field] -%}
        {{ metric_error(name, 'has ' ~ field ~ ' ' ~ entry[field] ~ '; known: ' ~ vocabulary[field] | join(', ')) }}
    {%- endfor -%}
    {%- for grain in entry.get('grains', []) if grain not in vocabulary.grain -%}
        {{ metric_error(name, 'has the unknown grain ' ~ grain ~ '; known: ' ~ vocabulary.grain | join(', ')) }}
    {%- endfor -%}
    {%- if entry.aggregation == 'derived' -%}
        {%- for field in ['model', 'week', 'month_to_date', 'month', 'dimensions'] if entry.get(field) -%}
            {{ metric_error(name, 'is derived from metrics and cannot have ' ~ field) }}
        {%- endfor -%}
        {%- if not entry.get('value') and not (entry.get('numerator') and entry.get('denominator')) -%}
            {{ metric_error(name, 'is derived and lacks value, or numerator and denominator: expressions over other metrics') }}
        {%- endif -%}
        {{ check_expressions(name, entry) }}
    {%- else -%}
        {{ check_metric_part(name, entry.aggregation, entry.get('model', 'daily_metrics'), 'all', entry) }}
        {%- if entry.get('month') -%}
            {{ check_metric_part(name, 'ratio' if entry.month.get('numerator') else 'last', 'revenue_metrics', 'all', entry.month) }}
        {%- endif -%}
        {%- if entry.get('dimensions', {}) is not mapping -%}
            {{ metric_error(name, 'has dimensions that are no list of branch: {model, value} and the like') }}
        {%- endif -%}
        {%- for dimension, part in entry.get('dimensions', {}).items() -%}
            {%- if dimension not in vocabulary.dimension -%}
                {{ metric_error(name, 'has the unknown dimension ' ~ dimension ~ '; known: ' ~ vocabulary.dimension | join(', ')) }}
            {%- endif -%}
            {%- if part is not mapping or not part.get('model') -%}
                {{ metric_error(name, 'lacks the model of dimension ' ~ dimension) }}
            {%- endif -%}
            {%- for field in part if field not in parts + ['model', 'grains'] -%}
                {{ metric_error(name, 'has the unknown field ' ~ field ~ ' in dimension ' ~ dimension ~ '; known: '
                    ~ (parts + ['model', 'grains']) | join(', ')) }}
            {%- endfor -%}
            {{ check_metric_part(name, entry.aggregation, part.model, dimension, part) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- One reading of a metric: the tenant as a whole (`all`), or one dimension. -#}
{% macro check_metric_part(name, aggregation, model, dimension, part) -%}
    {%- set where = '' if dimension == 'all' else ' in dimension ' ~ dimension -%}
    {%- set marts = metric_marts() -%}
    {%- if model not in marts -%}
        {{ metric_error(name, 'reads the unknown mart ' ~ model ~ where ~ '; known: ' ~ marts | join(', ')) }}
    {%- endif -%}
    {%- set mart = marts[model] -%}
    {%- if dimension != 'all' and dimension not in mart.get('dimensions', {}) -%}
        {{ metric_error(name, 'has dimension ' ~ dimension ~ ', which ' ~ model ~ ' does not tell; it tells: '
            ~ (mart.get('dimensions', {}) | join(', ') or 'none')) }}
    {%- endif -%}
    {%- if mart.get('month') and part.get('grains', ['month']) != ['month'] -%}
        {{ metric_error(name, 'has grains, but ' ~ model ~ ' tells months only') }}
    {%- endif -%}
    {%- if aggregation == 'ratio' and not (part.get('numerator') and part.get('denominator')) -%}
        {{ metric_error(name, 'is a ratio and lacks numerator or denominator' ~ where) }}
    {%- elif aggregation != 'ratio' and not part.get('value') -%}
        {{ metric_error(name, 'lacks value' ~ where ~ ', an expression over ' ~ model) }}
    {%- elif aggregation == 'recount' and not mart.get('month') -%}
        {%- if not mart.get('counts_anew') -%}
            {{ metric_error(name, 'is recounted, but ' ~ model ~ where ~ ' has several rows a day: distinct counts do not add up') }}
        {%- elif part.get('grains') != ['day'] and not (part.get('week') and part.get('month_to_date')) -%}
            {{ metric_error(name, 'is recounted' ~ where ~ ': it needs the columns week and month_to_date, or grains: [day]') }}
        {%- endif -%}
    {%- endif -%}
    {{ check_expressions(name, part) }}
{%- endmacro %}

{% macro check_expressions(name, part) -%}
    {%- for field in ['value', 'numerator', 'denominator', 'week', 'month_to_date'] if part.get(field) -%}
        {%- set expression = part[field] -%}
        {%- if expression is not string or not modules.re.fullmatch("[a-z0-9_+*/(),.<>=:' \n-]+", expression) or '--' in expression or '/*' in expression -%}
            {{ metric_error(name, 'has a ' ~ field ~ ' that is no expression: ' ~ expression) }}
        {%- endif -%}
        {%- if expression.count('(') != expression.count(')') or expression.count("'") % 2 -%}
            {{ metric_error(name, 'has a ' ~ field ~ ' with a bracket or quote too many or too few: ' ~ expression) }}
        {%- endif -%}
        {%- for function in modules.re.findall('([a-z_][a-z0-9_]*)\s*\(', expression) if function not in expression_functions() -%}
            {{ metric_error(name, 'calls ' ~ function ~ ' in ' ~ field ~ '; known functions: nullif, coalesce, greatest, least, abs, round') }}
        {%- endfor -%}
        {%- if modules.re.search('/(?!\s*(nullif\s*\(|[0-9]*[1-9]))', expression) -%}
            {{ metric_error(name, 'divides in ' ~ field ~ ' by what may be 0: give numerator and denominator, or divide by nullif(..., 0)') }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- Columns, or metrics, that an expression names. -#}
{% macro names_in(expression) -%}
    {%- set words = modules.re.findall('[a-z_][a-z0-9_]*', modules.re.sub("'[^']*'", ' ', expression ~ '')) -%}
    {{ return(words | reject('in', expression_words() + expression_functions()) | unique | list) }}
{%- endmacro %}

{#- Every column named exists in the contract of its mart; `columns` is mart -> names. Only known once all is parsed. -#}
{% macro check_metric_columns(series, columns) -%}
    {%- for one in series -%}
        {%- for field in ['value', 'numerator', 'denominator', 'week', 'month_to_date'] if one.get(field) -%}
            {%- for column in names_in(one[field]) if column not in columns[one.model] -%}
                {{ metric_error(one.metric, 'names the unknown column ' ~ column ~ ' of ' ~ one.model ~ ' in ' ~ field) }}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}
