{#-
    Relations that metrics may be read from, and what tells their days and dimensions apart.

    date                 column of the tenant's (or branch's) local day; `month` instead: one row a month
    dimensions           dimension -> column; rows are added up over the others
    total                value of the dimension's column that stands for everybody
    counts_anew          one row for each day (and dimension value): its distinct counts may be shown as they are;
                         elsewhere rows are added up, which only sums and ratios allow
-#}
{% macro metric_marts() -%}
    {{ return({
        'daily_metrics': {'date': 'metric_date', 'counts_anew': true},
        'coordination_metrics': {'date': 'metric_date', 'counts_anew': true},
        'engagement_by_user_type': {
            'date': 'metric_date', 'dimensions': {'user_type': 'user_type'}, 'total': 'all', 'counts_anew': true,
        },
        'int_users__daily': {'date': 'metric_date', 'dimensions': {'user_type': 'user_type'}},
        'int_leads__source_days': {'date': 'metric_date', 'dimensions': {'source': 'source'}},
        'lead_performance_daily': {'date': 'metric_date', 'dimensions': {'branch': 'branch_id'}},
        'call_performance_hourly': {'date': 'metric_date', 'dimensions': {'branch': 'branch_id'}},
        'staff_performance_daily': {
            'date': 'metric_date', 'dimensions': {'staff': 'staff_id', 'branch': 'branch_id'},
        },
        'revenue_metrics': {'month': 'month'},
        'revenue_by_plan': {'month': 'month', 'dimensions': {'plan': 'plan'}},
    }) }}
{%- endmacro %}
