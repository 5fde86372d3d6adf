{#- Scopes of models that count days by the branch's own timezone. -#}

{#- A row of a localized relation (started_at, metric_date) inside a span. The span's moments are the tenant's
    midnights; timezones lie up to 26 hours apart, so the index is asked for two days more on both sides. -#}
{% macro in_branch_span(t, moment, spans) -%}
{{ t }}.tenant_id = {{ spans }}.tenant_id
            and {{ t }}.{{ moment }} >= {{ spans }}.from_at - interval '2 days'
            and {{ t }}.{{ moment }} < {{ spans }}.to_at + interval '2 days'
            and {{ t }}.metric_date between {{ spans }}.date_from and {{ spans }}.date_to
{%- endmacro %}

{#- Rows of relation `t` (lead_id, metric_date) whose calls or whose lead changed. -#}
{% macro calls_of_dirty_days_or_leads(t) -%}
(
    {{ dirty_scope({'span': 'calls', 'column': 'metric_date'}, t) }}
    or {{ dirty_scope({'entity': 'lead', 'column': 'lead_id'}, t) }}
)
{%- endmacro %}
