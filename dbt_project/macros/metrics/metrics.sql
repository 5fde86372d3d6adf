{#- The checked list of metrics, and the series that make metric_timeseries. -#}

{#- All entries; a wrong one fails dbt parse with a message that names it. -#}
{% macro metric_definitions() -%}
    {%- set entries = fromyaml(metric_definitions_yaml()) -%}
    {%- set names = [] -%}
    {%- for entry in entries -%}
        {{ check_metric_entry(entry, loop.index) }}
        {%- if entry.metric in names -%}
            {{ metric_error(entry.metric, 'stands twice') }}
        {%- endif -%}
        {%- do names.append(entry.metric) -%}
    {%- endfor -%}
    {%- for entry in entries if entry.aggregation == 'derived' -%}
        {{ metrics_behind(entries, entry.metric, []) }}
    {%- endfor -%}
    {{ return(entries) }}
{%- endmacro %}

{#- Expressions of a derived metric as they are written: value, or numerator and denominator. -#}
{% macro derived_parts(entry) -%}
    {{ return([entry.value] if entry.get('value') else [entry.numerator, entry.denominator]) }}
{%- endmacro %}

{#- Names of the metrics with a mart of their own that a metric comes from; refuses unknown names and circles. -#}
{% macro metrics_behind(entries, name, path) -%}
    {%- set entry = entries | selectattr('metric', 'equalto', name) | first -%}
    {%- if name in path -%}
        {{ metric_error(path[0], 'is derived from itself: ' ~ (path + [name]) | join(' -> ')) }}
    {%- elif not entry -%}
        {{ metric_error(path[-1], 'is derived from ' ~ name ~ ', which is no metric') }}
    {%- elif entry.aggregation != 'derived' -%}
        {{ return([name]) }}
    {%- endif -%}
    {%- set behind = [] -%}
    {%- for part in derived_parts(entry) -%}
        {%- for used in names_in(part) -%}
            {%- do behind.extend(metrics_behind(entries, used, path + [name])) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if not behind -%}
        {{ metric_error(name, 'is derived and names no metric') }}
    {%- endif -%}
    {{ return(behind | unique | list) }}
{%- endmacro %}

{#- A derived expression over metrics with marts of their own: derived ones in it are put in place of their names. -#}
{% macro derived_expression(entries, expression) -%}
    {%- set ns = namespace(text=expression) -%}
    {%- for used in names_in(expression) -%}
        {%- set entry = entries | selectattr('metric', 'equalto', used) | first -%}
        {%- if entry.aggregation == 'derived' -%}
            {%- set parts = [] -%}
            {%- for part in derived_parts(entry) -%}
                {%- do parts.append('(' ~ derived_expression(entries, part) ~ ')') -%}
            {%- endfor -%}
            {%- set inner = parts[0] if parts | length == 1 else '(' ~ parts[0] ~ ' / nullif(' ~ parts[1] ~ ', 0))' -%}
            {%- set ns.text = modules.re.sub('\\b' ~ used ~ '\\b', inner, ns.text) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(ns.text) }}
{%- endmacro %}

{#- One item for each metric and dimension that is read from a mart: metric, dimension, model, aggregation, expressions,
    and the grains it is told for. -#}
{% macro metric_series(entries) -%}
    {%- set marts = metric_marts() -%}
    {%- set series = [] -%}
    {%- for entry in entries if entry.aggregation != 'derived' -%}
        {%- set parts = [('all', entry.get('model', 'daily_metrics'), entry)] -%}
        {%- if entry.get('month') -%}
            {%- do parts.append(('all', 'revenue_metrics', entry.month)) -%}
        {%- endif -%}
        {%- for dimension, part in entry.get('dimensions', {}).items() -%}
            {%- do parts.append((dimension, part.model, part)) -%}
        {%- endfor -%}
        {%- for dimension, model, part in parts -%}
            {%- set is_monthly = marts[model].get('month') is not none -%}
            {%- set grains = ['month'] if is_monthly else part.get('grains') or entry.get('grains') or ['day', 'week', 'month'] -%}
            {#- revenue_metrics tells the month, where an entry says so: it knows who paid at its start. -#}
            {%- if entry.get('month') and dimension == 'all' and not is_monthly -%}
                {%- set grains = grains | reject('equalto', 'month') | list -%}
            {%- endif -%}
            {%- do series.append({
                'metric': entry.metric, 'dimension': dimension, 'model': model, 'grains': grains,
                'aggregation': 'ratio' if part.get('numerator') else 'last' if is_monthly else entry.aggregation,
                'value': part.get('value'), 'numerator': part.get('numerator'), 'denominator': part.get('denominator'),
                'week': part.get('week'), 'month_to_date': part.get('month_to_date'),
                'is_null_until_complete': entry.get('null_until_complete', false),
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(series) }}
{%- endmacro %}

{#- One item for each derived metric and dimension that all the metrics behind it have, with the grains they share. -#}
{% macro derived_series(entries) -%}
    {%- set series = metric_series(entries) -%}
    {%- set vocabulary = metric_vocabulary() -%}
    {%- set derived = [] -%}
    {%- for entry in entries if entry.aggregation == 'derived' -%}
        {%- set behind = metrics_behind(entries, entry.metric, []) -%}
        {%- for dimension in ['all'] + vocabulary.dimension -%}
            {%- set shared = [] -%}
            {%- for grain in entry.get('grains') or vocabulary.grain -%}
                {%- set tellers = [] -%}
                {%- for one in series if one.metric in behind and one.dimension == dimension and grain in one.grains -%}
                    {%- do tellers.append(one.metric) -%}
                {%- endfor -%}
                {%- if tellers | unique | list | length == behind | length -%}
                    {%- do shared.append(grain) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- if shared -%}
                {%- do derived.append({'metric': entry.metric, 'dimension': dimension, 'grains': shared}) -%}
            {%- elif dimension == 'all' -%}
                {{ metric_error(entry.metric, 'is derived from metrics that share no grain: ' ~ behind | join(', ')) }}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(derived) }}
{%- endmacro %}

{#- What an entry or a part of it reads, as one expression. -#}
{% macro expression_of(part) -%}
    {{ return(part.value if part.get('value') else part.numerator ~ ' / ' ~ part.denominator) }}
{%- endmacro %}

{#- Periods in which the tenant as a whole is told, among the given series. -#}
{% macro grains_of(series, name) -%}
    {%- set found = [] -%}
    {%- for one in series if one.metric == name and one.dimension == 'all' -%}
        {%- do found.extend(one.grains) -%}
    {%- endfor -%}
    {{ return(['day', 'week', 'month'] | select('in', found) | list) }}
{%- endmacro %}

{#- Dimensions of a metric, beyond the tenant as a whole, among the given series. -#}
{% macro dimensions_of(series, name) -%}
    {{ return(series | selectattr('metric', 'equalto', name) | map(attribute='dimension') | reject('equalto', 'all') | unique | sort) }}
{%- endmacro %}
