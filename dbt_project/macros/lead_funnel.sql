{#- Counts, step rates and median hours of a group of leads: what lead_funnel and lead_funnel_totals share. -#}

{% macro lead_funnel_counts(leads) -%}
{%- set durations = {
    'to_contact': ('created_at', 'contacted_at'),
    'contact_to_qualify': ('contacted_at', 'qualified_at'),
    'qualify_to_convert': ('qualified_at', 'converted_at'),
    'to_convert': ('created_at', 'converted_at'),
} -%}
count(*) as leads,
        count(*) filter (where {{ leads }}.is_contacted) as contacted,
        count(*) filter (where {{ leads }}.is_qualified) as qualified,
        count(*) filter (where {{ leads }}.is_converted) as converted,
        count(*) filter (where {{ leads }}.is_lost) as lost,
        {% for name, (begun, done) in durations.items() -%}
        (
            percentile_cont(0.5) within group (
                order by extract(epoch from {{ leads }}.{{ done }} - {{ leads }}.{{ begun }}) / 3600
            ) filter (where {{ leads }}.{{ done }} >= {{ leads }}.{{ begun }})
        )::numeric as median_hours_{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
{%- endmacro %}

{% macro lead_funnel_rates() -%}
contacted::numeric / leads as contact_rate,
    qualified::numeric / nullif(contacted, 0) as qualification_rate,
    converted::numeric / nullif(qualified, 0) as close_rate,
    converted::numeric / leads as conversion_rate,
    lost::numeric / leads as loss_rate
{%- endmacro %}
