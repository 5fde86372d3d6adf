{#- First day of the tenant's week that holds a date; `week_start` is an expression giving monday or sunday. -#}
{% macro week_of(date, week_start) -%}
(date_trunc('week', {{ date }}::timestamp + case {{ week_start }} when 'sunday' then interval '1 day' else interval '0' end)
    - case {{ week_start }} when 'sunday' then interval '1 day' else interval '0' end)::date
{%- endmacro %}

{% macro month_of(date) -%}
date_trunc('month', {{ date }}::timestamp)::date
{%- endmacro %}
