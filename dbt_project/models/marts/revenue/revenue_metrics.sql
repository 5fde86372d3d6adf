{#- The day after a changed one belongs to it: a month begins with what stood at the end of the month before. -#}
{%- set scope = {
    'models': ['int_revenue__daily', 'int_billing__daily', 'int_billing__dunning', 'mrr_movements'],
    'domains': ['revenue_days', 'finance'],
    'grain': 'month',
    'following': 1,
} %}
{{ config(
    unique_key=['tenant_id', 'month'],
    meta={'dirty': {'spans': scope, 'column': 'month'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.currency,
        tenants.gross_margin,
        tenants.as_of_date,
        tenants.complete_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        where tenants.tenant_id in (select spans.tenant_id from {{ spans_of(**scope) }} as spans)
    {% endif %}
),

finance_inputs as materialized (
    select distinct on (inputs.tenant_id, {{ month_of('inputs.told_for') }})
        inputs.tenant_id,
        {{ month_of('inputs.told_for') }} as month,
        inputs.told_for,
        inputs.currency,
        tenants.currency as tenant_currency,
        inputs.cash_balance,
        inputs.monthly_burn
    from tenants
    inner join {{ ref('stg_revenue__finance_inputs') }} as inputs
        on tenants.tenant_id = inputs.tenant_id and inputs.told_for <= tenants.as_of_date
    order by inputs.tenant_id, {{ month_of('inputs.told_for') }}, inputs.told_for desc
),

finance_rate_needs as (
    select
        currency,
        told_for as rated_on
    from finance_inputs
    where currency <> tenant_currency
    union
    select
        tenant_currency as currency,
        told_for as rated_on
    from finance_inputs
    where currency <> tenant_currency
),

finance_rates as materialized (
    select
        in_force.currency,
        in_force.rated_on,
        in_force.units_per_eur
    from {{ rates_in_force('finance_rate_needs') }} as in_force
),

finance as materialized (
    select
        inputs.tenant_id,
        inputs.month,
        inputs.cash_balance * money.exchange_rate as cash_balance,
        inputs.monthly_burn * money.exchange_rate as monthly_burn
    from finance_inputs as inputs
    left join finance_rates as own_rates
        on inputs.currency = own_rates.currency and inputs.told_for = own_rates.rated_on
    left join finance_rates as tenant_rates
        on inputs.tenant_currency = tenant_rates.currency and inputs.told_for = tenant_rates.rated_on
    cross join lateral (
        select
            case
                when inputs.currency = inputs.tenant_currency then 1
                else trim_scale(tenant_rates.units_per_eur / own_rates.units_per_eur)
            end as exchange_rate
    ) as money
),

first_months as (
    select
        tenants.tenant_id,
        {{ month_of('least(revenue.first_date, billing.first_date, finances.first_date)') }} as month
    from tenants
    cross join lateral (
        select min(daily.metric_date) as first_date
        from {{ ref('int_revenue__daily') }} as daily
        where daily.tenant_id = tenants.tenant_id
    ) as revenue
    cross join lateral (
        select min(daily.metric_date) as first_date
        from {{ ref('int_billing__daily') }} as daily
        where daily.tenant_id = tenants.tenant_id
    ) as billing
    cross join lateral (
        select min(finance.month) as first_date
        from finance
        where finance.tenant_id = tenants.tenant_id
    ) as finances
),

months as materialized (
    select
        first_months.tenant_id,
        months.month::date as month,
        (months.month + interval '1 month')::date - 1 as last_date,
        (months.month + interval '1 month')::date - 1 <= tenants.complete_date as is_complete
    from first_months
    inner join tenants on first_months.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        first_months.month::timestamp, {{ month_of('tenants.as_of_date') }}::timestamp, interval '1 month'
    ) as months (month)
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans
            on
                first_months.tenant_id = spans.tenant_id
                and months.month::date between spans.date_from and spans.date_to
    {% endif %}
),

revenue_days as materialized (
    select
        daily.*,
        months.month
    from months
    cross join lateral {{ looked_up(
        ref('int_revenue__daily'), 'days',
        'days.tenant_id = months.tenant_id and days.metric_date between months.month and months.last_date'
    ) }} as daily
),

billing_days as materialized (
    select
        daily.*,
        months.month
    from months
    cross join lateral {{ looked_up(
        ref('int_billing__daily'), 'days',
        'days.tenant_id = months.tenant_id and days.metric_date between months.month and months.last_date'
    ) }} as daily
),

revenue_flows as materialized (
    select
        revenue_days.tenant_id,
        revenue_days.month,
        sum(revenue_days.new_customers)::bigint as new_customers,
        sum(revenue_days.churned_customers)::bigint as churned_customers,
        sum(revenue_days.reactivated_customers)::bigint as reactivated_customers,
        sum(revenue_days.new_subscriptions)::bigint as new_subscriptions,
        sum(revenue_days.canceled_subscriptions)::bigint as canceled_subscriptions,
        sum(revenue_days.churned_subscriptions)::bigint as churned_subscriptions,
        sum(revenue_days.cancellations_requested)::bigint as cancellations_requested,
        case
            when bool_and(revenue_days.requested_cancellation_mrr is not null)
                then sum(revenue_days.requested_cancellation_mrr)
        end as requested_cancellation_mrr,
        bool_and(revenue_days.mrr is not null) as is_mrr_known
    from revenue_days
    group by revenue_days.tenant_id, revenue_days.month
),

revenue_stocks as materialized (
    select distinct on (revenue_days.tenant_id, revenue_days.month)
        revenue_days.tenant_id,
        revenue_days.month,
        revenue_days.mrr,
        revenue_days.trial_mrr,
        revenue_days.committed_mrr,
        revenue_days.total_customers,
        revenue_days.active_subscriptions,
        revenue_days.trialing_subscriptions,
        revenue_days.past_due_subscriptions
    from revenue_days
    order by revenue_days.tenant_id, revenue_days.month, revenue_days.metric_date desc
),

billing_flows as materialized (
    select
        billing_days.tenant_id,
        billing_days.month,
        sum(billing_days.failed_payments)::bigint as failed_payments,
        sum(billing_days.recovered_payments)::bigint as recovered_payments,
        case when bool_and(billing_days.marketing_spend is not null) then sum(billing_days.marketing_spend) end
            as marketing_spend
    from billing_days
    group by billing_days.tenant_id, billing_days.month
),

billing_stocks as materialized (
    select distinct on (billing_days.tenant_id, billing_days.month)
        billing_days.tenant_id,
        billing_days.month,
        billing_days.outstanding_invoices,
        billing_days.outstanding_invoice_amount
    from billing_days
    order by billing_days.tenant_id, billing_days.month, billing_days.metric_date desc
),

-- Each customer's month, read from the ledger: where it began, where it ended, what happened between.
customer_months as (
    select
        movements.tenant_id,
        movements.customer_id,
        movements.month,
        (array_agg(movements.mrr_before order by movements.moved_at, kinds.place))[1] as mrr_at_start,
        (array_agg(movements.mrr_after order by movements.moved_at desc, kinds.place desc))[1] as mrr_at_end,
        coalesce(sum(movements.amount) filter (where movements.movement = 'new'), 0) as new_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'expansion'), 0) as expansion_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'contraction'), 0) as contraction_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'churn'), 0) as churned_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'reactivation'), 0) as reactivation_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'paused'), 0) as paused_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'resumed'), 0) as resumed_mrr,
        coalesce(sum(movements.amount) filter (where movements.movement = 'fx_impact'), 0) as fx_impact_mrr,
        coalesce(
            sum(movements.amount) filter (where movements.movement = 'reactivation' and not movements.intra_period), 0
        ) as lasting_reactivation_mrr,
        bool_or(movements.movement = 'churn') as churned
    from (
        select
            movements.*,
            months.month
        from months
        cross join lateral {{ looked_up(
            ref('mrr_movements'), 'ledger',
            'ledger.tenant_id = months.tenant_id and ledger.movement_date between months.month and months.last_date'
        ) }} as movements
    ) as movements
    cross join lateral (
        select
            case movements.movement
                when 'fx_impact' then 1 when 'resumed' then 2 when 'contraction' then 4
                when 'paused' then 5 when 'churn' then 6 else 3
            end as place
    ) as kinds
    group by movements.tenant_id, movements.customer_id, movements.month
),

-- Rates of churn and retention look only at customers who paid at the start.
movements as materialized (
    select
        customer_months.tenant_id,
        customer_months.month,
        sum(customer_months.new_mrr) as new_mrr,
        sum(customer_months.expansion_mrr) as expansion_mrr,
        sum(customer_months.contraction_mrr) as contraction_mrr,
        sum(customer_months.churned_mrr) as churned_mrr,
        sum(customer_months.reactivation_mrr) as reactivation_mrr,
        sum(customer_months.paused_mrr) as paused_mrr,
        sum(customer_months.resumed_mrr) as resumed_mrr,
        sum(customer_months.fx_impact_mrr) as fx_impact_mrr,
        sum(customer_months.lasting_reactivation_mrr) as lasting_reactivation_mrr,
        coalesce(sum(customer_months.expansion_mrr) filter (where customer_months.mrr_at_start > 0), 0)
            as starters_expansion,
        coalesce(sum(customer_months.contraction_mrr) filter (where customer_months.mrr_at_start > 0), 0)
            as starters_contraction,
        coalesce(sum(customer_months.churned_mrr) filter (where customer_months.mrr_at_start > 0), 0)
            as starters_churn,
        count(*) filter (where customer_months.mrr_at_start > 0 and customer_months.churned) as starters_churned,
        coalesce(
            sum(customer_months.mrr_at_end - customer_months.mrr_at_start)
            filter (where customer_months.mrr_at_start > 0), 0
        ) as starters_change,
        coalesce(
            sum(greatest(customer_months.mrr_at_start - customer_months.mrr_at_end, 0))
            filter (where customer_months.mrr_at_start > 0), 0
        ) as starters_loss
    from customer_months
    group by customer_months.tenant_id, customer_months.month
),

-- An amount that was not known for a part of the month leaves its movements untold.
unknowns as materialized (
    select
        plan_months.tenant_id,
        plan_months.month,
        bool_or(plan_months.unknown_begun > 0 or plan_months.unknown_movements > 0) as has_unknown
    from months
    inner join {{ ref('int_revenue__plan_months') }} as plan_months
        on months.tenant_id = plan_months.tenant_id and months.month = plan_months.month
    group by plan_months.tenant_id, plan_months.month
),

joined as (
    select
        months.tenant_id,
        months.month,
        months.is_complete,
        tenants.gross_margin,
        starts.mrr as starting_mrr,
        starts.mrr is not null
        and coalesce(revenue_flows.is_mrr_known, true)
        and not coalesce(unknowns.has_unknown, false) as is_mrr_known,
        coalesce(revenue_starts.total_customers, 0) as starting_customers,
        coalesce(revenue_starts.active_subscriptions + revenue_starts.past_due_subscriptions, 0)
            as starting_subscriptions,
        coalesce(movements.new_mrr, 0) as new_mrr,
        coalesce(movements.expansion_mrr, 0) as expansion_mrr,
        coalesce(movements.contraction_mrr, 0) as contraction_mrr,
        coalesce(movements.churned_mrr, 0) as churned_mrr,
        coalesce(movements.reactivation_mrr, 0) as reactivation_mrr,
        coalesce(movements.paused_mrr, 0) as paused_mrr,
        coalesce(movements.resumed_mrr, 0) as resumed_mrr,
        coalesce(movements.fx_impact_mrr, 0) as fx_impact_mrr,
        coalesce(movements.lasting_reactivation_mrr, 0) as lasting_reactivation_mrr,
        coalesce(movements.starters_expansion, 0) as starters_expansion,
        coalesce(movements.starters_contraction, 0) as starters_contraction,
        coalesce(movements.starters_churn, 0) as starters_churn,
        coalesce(movements.starters_churned, 0) as starters_churned,
        coalesce(movements.starters_change, 0) as starters_change,
        coalesce(movements.starters_loss, 0) as starters_loss,
        stocks.mrr as ending_mrr,
        case when revenue_stocks.tenant_id is null then 0 else revenue_stocks.trial_mrr end as trial_mrr,
        case when revenue_stocks.tenant_id is null then 0 else revenue_stocks.committed_mrr end as committed_mrr,
        coalesce(revenue_stocks.total_customers, 0) as paying_customers,
        coalesce(revenue_stocks.active_subscriptions, 0) as active_subscriptions,
        coalesce(revenue_stocks.trialing_subscriptions, 0) as trialing_subscriptions,
        coalesce(revenue_stocks.past_due_subscriptions, 0) as past_due_subscriptions,
        coalesce(revenue_flows.new_customers, 0) as new_customers,
        coalesce(revenue_flows.churned_customers, 0) as churned_customers,
        coalesce(revenue_flows.reactivated_customers, 0) as reactivated_customers,
        coalesce(revenue_flows.new_subscriptions, 0) as new_subscriptions,
        coalesce(revenue_flows.canceled_subscriptions, 0) as canceled_subscriptions,
        coalesce(revenue_flows.churned_subscriptions, 0) as churned_subscriptions,
        coalesce(revenue_flows.cancellations_requested, 0) as cancellations_requested,
        case when revenue_flows.tenant_id is null then 0 else revenue_flows.requested_cancellation_mrr end
            as requested_cancellation_mrr,
        case when billing_flows.tenant_id is null then 0 else billing_flows.marketing_spend end as marketing_spend,
        coalesce(billing_flows.failed_payments, 0) as failed_payments,
        coalesce(billing_flows.recovered_payments, 0) as recovered_payments,
        coalesce(billing_stocks.outstanding_invoices, 0) as outstanding_invoices,
        case when billing_stocks.tenant_id is null then 0 else billing_stocks.outstanding_invoice_amount end
            as outstanding_invoice_amount,
        coalesce(dunning.subscriptions_in_dunning, 0) as subscriptions_in_dunning,
        finance.cash_balance,
        finance.monthly_burn
    from months
    inner join tenants on months.tenant_id = tenants.tenant_id
    left join revenue_stocks on months.tenant_id = revenue_stocks.tenant_id and months.month = revenue_stocks.month
    left join {{ ref('int_revenue__daily') }} as revenue_starts
        on months.tenant_id = revenue_starts.tenant_id and revenue_starts.metric_date = months.month - 1
    cross join lateral (
        select case when revenue_stocks.tenant_id is null then 0 else revenue_stocks.mrr end as mrr
    ) as stocks
    cross join lateral (
        select case when revenue_starts.tenant_id is null then 0 else revenue_starts.mrr end as mrr
    ) as starts
    left join unknowns on months.tenant_id = unknowns.tenant_id and months.month = unknowns.month
    left join revenue_flows on months.tenant_id = revenue_flows.tenant_id and months.month = revenue_flows.month
    left join movements on months.tenant_id = movements.tenant_id and months.month = movements.month
    left join billing_flows on months.tenant_id = billing_flows.tenant_id and months.month = billing_flows.month
    left join billing_stocks on months.tenant_id = billing_stocks.tenant_id and months.month = billing_stocks.month
    left join {{ ref('int_billing__dunning') }} as dunning
        on months.tenant_id = dunning.tenant_id and months.month = dunning.month
    left join finance on months.tenant_id = finance.tenant_id and months.month = finance.month
),

-- A month in which an amount is not known has no sums of money; an unfinished one no rates of churn and retention.
known as (
    select
        joined.*,
        case when joined.is_mrr_known and joined.is_complete then nullif(joined.starting_mrr, 0) end as rate_base,
        case
            when joined.is_complete
                then joined.starters_churned::numeric / nullif(joined.starting_customers, 0)
        end as customer_churn_rate,
        joined.ending_mrr / nullif(joined.paying_customers, 0) as arpa,
        joined.marketing_spend / nullif(joined.new_customers, 0) as cac
    from joined
),

rated as (
    select
        known.*,
        known.arpa * known.gross_margin / nullif(known.customer_churn_rate, 0) as ltv
    from known
),

-- Scales are trimmed, so that equal figures are equal text.
results as (
    select
        rated.tenant_id,
        rated.month,
        rated.is_complete,
        rated.starting_mrr,
        case when rated.is_mrr_known then rated.new_mrr end as new_mrr,
        case when rated.is_mrr_known then rated.expansion_mrr end as expansion_mrr,
        case when rated.is_mrr_known then rated.contraction_mrr end as contraction_mrr,
        case when rated.is_mrr_known then rated.churned_mrr end as churned_mrr,
        case when rated.is_mrr_known then rated.reactivation_mrr end as reactivation_mrr,
        case when rated.is_mrr_known then rated.paused_mrr end as paused_mrr,
        case when rated.is_mrr_known then rated.resumed_mrr end as resumed_mrr,
        case when rated.is_mrr_known then rated.fx_impact_mrr end as fx_impact_mrr,
        rated.ending_mrr,
        rated.ending_mrr as mrr,
        12 * rated.ending_mrr as arr,
        (rated.ending_mrr - rated.starting_mrr) / rated.rate_base as mrr_growth_rate,
        (rated.starting_mrr + rated.starters_change) / rated.rate_base as nrr,
        (rated.starting_mrr - rated.starters_loss) / rated.rate_base as grr,
        (rated.starters_churn + rated.starters_contraction) / rated.rate_base as gross_mrr_churn_rate,
        (
            rated.starters_churn + rated.starters_contraction - rated.starters_expansion - rated.lasting_reactivation_mrr
        ) / rated.rate_base as net_mrr_churn_rate,
        rated.customer_churn_rate,
        rated.starters_churn / rated.rate_base as revenue_churn_rate,
        case
            when rated.is_complete
                then
                    rated.churned_subscriptions::numeric
                    / nullif(rated.starting_subscriptions + rated.new_subscriptions, 0)
        end as subscription_churn_rate,
        rated.starting_customers,
        rated.paying_customers,
        rated.new_customers,
        rated.churned_customers,
        rated.reactivated_customers,
        rated.new_subscriptions,
        rated.canceled_subscriptions,
        rated.churned_subscriptions,
        rated.cancellations_requested,
        rated.requested_cancellation_mrr,
        rated.arpa,
        rated.ltv,
        rated.marketing_spend,
        rated.cac,
        rated.ltv / nullif(rated.cac, 0) as ltv_to_cac,
        rated.cac / nullif(rated.arpa * rated.gross_margin, 0) as payback_months,
        case
            when rated.is_mrr_known
                then
                    (rated.new_mrr + rated.reactivation_mrr + rated.expansion_mrr + rated.resumed_mrr)
                    / nullif(rated.contraction_mrr + rated.churned_mrr + rated.paused_mrr, 0)
        end as quick_ratio,
        case
            when rated.is_mrr_known
                then
                    (rated.new_mrr + rated.expansion_mrr) / nullif(rated.contraction_mrr + rated.churned_mrr, 0)
        end as quick_ratio_strict,
        rated.trial_mrr,
        rated.committed_mrr,
        rated.active_subscriptions,
        rated.trialing_subscriptions,
        rated.past_due_subscriptions,
        rated.failed_payments,
        rated.recovered_payments,
        rated.outstanding_invoices,
        rated.outstanding_invoice_amount,
        rated.subscriptions_in_dunning,
        rated.cash_balance,
        rated.monthly_burn,
        case when rated.monthly_burn > 0 then rated.cash_balance / rated.monthly_burn end as runway_months
    from rated
)

select
    results.tenant_id,
    results.month,
    results.is_complete,
    trim_scale(results.starting_mrr) as starting_mrr,
    trim_scale(results.new_mrr) as new_mrr,
    trim_scale(results.expansion_mrr) as expansion_mrr,
    trim_scale(results.contraction_mrr) as contraction_mrr,
    trim_scale(results.churned_mrr) as churned_mrr,
    trim_scale(results.reactivation_mrr) as reactivation_mrr,
    trim_scale(results.paused_mrr) as paused_mrr,
    trim_scale(results.resumed_mrr) as resumed_mrr,
    trim_scale(results.fx_impact_mrr) as fx_impact_mrr,
    trim_scale(results.ending_mrr) as ending_mrr,
    trim_scale(results.mrr) as mrr,
    trim_scale(results.arr) as arr,
    trim_scale(results.mrr_growth_rate) as mrr_growth_rate,
    trim_scale(results.nrr) as nrr,
    trim_scale(results.grr) as grr,
    trim_scale(results.gross_mrr_churn_rate) as gross_mrr_churn_rate,
    trim_scale(results.net_mrr_churn_rate) as net_mrr_churn_rate,
    trim_scale(results.customer_churn_rate) as customer_churn_rate,
    trim_scale(results.revenue_churn_rate) as revenue_churn_rate,
    trim_scale(results.subscription_churn_rate) as subscription_churn_rate,
    results.starting_customers,
    results.paying_customers,
    results.new_customers,
    results.churned_customers,
    results.reactivated_customers,
    results.new_subscriptions,
    results.canceled_subscriptions,
    results.churned_subscriptions,
    results.cancellations_requested,
    trim_scale(results.requested_cancellation_mrr) as requested_cancellation_mrr,
    trim_scale(results.arpa) as arpa,
    trim_scale(results.ltv) as ltv,
    trim_scale(results.marketing_spend) as marketing_spend,
    trim_scale(results.cac) as cac,
    trim_scale(results.ltv_to_cac) as ltv_to_cac,
    trim_scale(results.payback_months) as payback_months,
    trim_scale(results.quick_ratio) as quick_ratio,
    trim_scale(results.quick_ratio_strict) as quick_ratio_strict,
    trim_scale(results.trial_mrr) as trial_mrr,
    trim_scale(results.committed_mrr) as committed_mrr,
    results.active_subscriptions,
    results.trialing_subscriptions,
    results.past_due_subscriptions,
    results.failed_payments,
    results.recovered_payments,
    results.outstanding_invoices,
    trim_scale(results.outstanding_invoice_amount) as outstanding_invoice_amount,
    results.subscriptions_in_dunning,
    trim_scale(results.cash_balance) as cash_balance,
    trim_scale(results.monthly_burn) as monthly_burn,
    trim_scale(results.runway_months) as runway_months
from results
