{{ config(
    unique_key=['metric_date'],
    meta={'dirty': {'macro': 'portfolio_scope'}},
    post_hook="revoke all on {{ this }} from metricpress_bi",
) }}

-- A day is the same date on each tenant's calendar. The mart ends where the first running tenant's calendar ends: a
-- day that some have not begun would lack them. A tenant whose history has ended is absent from later days.
with bounds as (
    select
        coalesce(
            min(tenants.as_of_date) filter (
                where tenants.clock_stops_at is null or tenants.as_of < tenants.clock_stops_at
            ),
            max(tenants.as_of_date)
        ) as last_date,
        coalesce(
            min(tenants.complete_date) filter (
                where tenants.clock_stops_at is null or tenants.as_of < tenants.clock_stops_at
            ),
            max(tenants.complete_date)
        ) as complete_date
    from {{ ref('stg_platform__tenants') }} as tenants
),

days as materialized (
    select
        daily.*,
        tenants.currency,
        daily.metric_date <= bounds.complete_date as has_ended_everywhere
    from {{ ref('daily_metrics') }} as daily
    inner join {{ ref('stg_platform__tenants') }} as tenants on daily.tenant_id = tenants.tenant_id
    inner join bounds on daily.metric_date <= bounds.last_date
    {% if is_incremental() %}
        where {{ portfolio_scope('daily') }}
    {% endif %}
),

installation as (
    select reporting_currency
    from {{ source('build', 'installation') }}
),

rate_needs as (
    select
        days.currency,
        days.metric_date as rated_on
    from days
    inner join installation on days.currency <> installation.reporting_currency
    union
    select
        installation.reporting_currency,
        days.metric_date
    from days
    inner join installation on days.currency <> installation.reporting_currency
),

rates as materialized (
    select
        in_force.currency,
        in_force.rated_on,
        in_force.units_per_eur
    from {{ rates_in_force('rate_needs') }} as in_force
),

converted as (
    select
        days.*,
        installation.reporting_currency,
        case
            when days.currency = installation.reporting_currency then 1
            else reporting_rates.units_per_eur / tenant_rates.units_per_eur
        end as exchange_rate,
        case
            when days.currency <> installation.reporting_currency
                then nullif(
                    concat_ws(
                        ', ',
                        case when tenant_rates.units_per_eur is null then days.currency end,
                        case when reporting_rates.units_per_eur is null then installation.reporting_currency end
                    ), ''
                )
        end as missing_rate,
        greatest(
            {%- for column in portfolio_money() %}
                abs(days.{{ column }}){{ ',' if not loop.last }}
            {%- endfor %}
        ) > 0 as has_money
    from days
    cross join installation
    left join rates as tenant_rates
        on days.currency = tenant_rates.currency and days.metric_date = tenant_rates.rated_on
    left join rates as reporting_rates
        on installation.reporting_currency = reporting_rates.currency and days.metric_date = reporting_rates.rated_on
)

select
    metric_date,
    bool_and(has_ended_everywhere) as is_complete,
    count(*) as tenants,
    max(reporting_currency) as reporting_currency,
    string_agg(distinct missing_rate, ', ' order by missing_rate) filter (where has_money) as missing_rates,
    {%- for column in portfolio_counts() %}
        sum({{ column }})::bigint as {{ column }},
    {%- endfor %}
    {%- for column in portfolio_amounts() %}
        trim_scale(sum({{ column }})) as {{ column }},
    {%- endfor %}
    {%- for column in portfolio_money() %}
        case
            when bool_and({{ column }} is not null and ({{ column }} = 0 or exchange_rate is not null))
                then trim_scale(coalesce(sum({{ column }} * exchange_rate) filter (where {{ column }} <> 0), 0))
        end as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from converted
group by metric_date
