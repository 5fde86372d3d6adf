{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subscription_id', 'valid_from'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[
        {'columns': ['tenant_id', 'customer_id']},
        {'columns': ['tenant_id', 'first_date']},
        {'columns': ['tenant_id', 'end_date']},
    ],
    meta={'dirty': {'entity': 'customer', 'column': 'customer_id', 'log': ['first_date', 'end_date']}},
    post_hook="{{ index_of_odd_rows('tenant_id', 'is_rate_missing') }}",
) }}

{%- set terms = {
    'plan': 'text',
    'quantity': 'numeric',
    'unit_amount': 'numeric',
    'currency': 'text',
    'billing_interval': 'text',
    'interval_count': 'integer',
    'forever_discount_percent': 'numeric',
} %}
{#- What belongs to the subscription as a whole and is carried along. -#}
{%- set facts = [
    'customer_id',
    'started_at',
    'ends_at',
    'ended_before_start',
    'trial_from',
    'trial_end',
    'uncommitted_from',
    'canceled_at',
    'past_due_days',
    'timezone',
    'tenant_currency',
] %}
{%- set never_began = "('incomplete', 'incomplete_expired')" %}

with subscriptions as materialized (
    select
        subscriptions.tenant_id,
        subscriptions.subscription_id,
        subscriptions.customer_id,
        subscriptions.status,
        {%- for term in terms %}
            subscriptions.{{ term }},
        {%- endfor %}
        subscriptions.started_at,
        subscriptions.trial_end,
        subscriptions.canceled_at,
        tenants.timezone,
        tenants.currency as tenant_currency,
        tenants.past_due_days,
        coalesce(subscriptions.trial_start, subscriptions.started_at) as trial_from,
        coalesce(service.ends_at < subscriptions.started_at, false) as ended_before_start,
        case
            when tenants.churn_on = 'intent' then least(service.ends_at, subscriptions.canceled_at)
            else service.ends_at
        end as ends_at,
        coalesce(
            subscriptions.canceled_at,
            case when subscriptions.cancel_at is not null then subscriptions.started_at end
        ) as uncommitted_from
    from {{ ref('stg_revenue__subscriptions') }} as subscriptions
    inner join {{ ref('stg_platform__tenants') }} as tenants on subscriptions.tenant_id = tenants.tenant_id
    {% if is_incremental() %}
        inner join {{ dirty_entities('customer') }} as dirty
            on subscriptions.tenant_id = dirty.tenant_id and subscriptions.customer_id = dirty.entity_id
    {% endif %}
    cross join lateral (
        select
            coalesce(
                subscriptions.ended_at,
                case when subscriptions.cancel_at < tenants.as_of then subscriptions.cancel_at end,
                case when subscriptions.status = 'canceled' then subscriptions.canceled_at end,
                subscriptions.cancel_at
            ) as ends_at
    ) as service
),

all_changes as (
    select
        changes.tenant_id,
        changes.subscription_id,
        changes.change_id,
        changes.changed_at,
        changes.loaded_at,
        changes.is_automatic,
        changes.status,
        {%- for term in terms %}
            changes.{{ term }},
        {%- endfor %}
        bool_or(not changes.is_automatic)
            over (partition by changes.tenant_id, changes.subscription_id)
            as has_source_history
    from subscriptions
    inner join {{ ref('stg_revenue__subscription_changes') }} as changes
        on
            subscriptions.tenant_id = changes.tenant_id
            and subscriptions.subscription_id = changes.subscription_id
),

changes as materialized (
    select
        all_changes.tenant_id,
        all_changes.subscription_id,
        all_changes.changed_at,
        {%- for term in terms %}
            all_changes.{{ term }},
        {%- endfor %}
        row_number() over history as change_number,
        -- `incomplete` after any other status cannot be: the source delivered it late.
        case
            when
                all_changes.status in {{ never_began }}
                and bool_or(all_changes.status not in {{ never_began }})
                    over (history rows between unbounded preceding and 1 preceding)
                then null
            else all_changes.status
        end as status
    from all_changes
    where not all_changes.is_automatic or not all_changes.has_source_history
    window history as (
        partition by all_changes.tenant_id, all_changes.subscription_id
        order by all_changes.changed_at, all_changes.loaded_at, all_changes.change_id
    )
),

-- Each column's last told value so far: the greatest pair of change number and value.
carried_forward as materialized (
    select
        changes.tenant_id,
        changes.subscription_id,
        changes.changed_at,
        changes.change_number,
        {%- for term, type in dict(terms, status='text').items() %}
            (
                max(array[to_char(changes.change_number, 'FM000000000'), changes.{{ term }}::text])
                filter (where changes.{{ term }} is not null) over so_far
            )[2]::{{ type }} as {{ term }}{{ ',' if not loop.last }}
        {%- endfor %}
    from changes
    window so_far as (partition by changes.tenant_id, changes.subscription_id order by changes.change_number)
),

first_told as materialized (
    select
        changes.tenant_id,
        changes.subscription_id,
        {%- for term, type in dict(terms, status='text').items() %}
            (
                min(array[to_char(changes.change_number, 'FM000000000'), changes.{{ term }}::text])
                filter (where changes.{{ term }} is not null)
            )[2]::{{ type }} as {{ term }},
        {%- endfor %}
        min(changes.changed_at) as first_changed_at,
        bool_or(changes.change_number = 1 and changes.status is not distinct from 'canceled') as opens_canceled,
        coalesce(bool_or(changes.status = 'trialing'), false) as tells_trials
    from changes
    group by changes.tenant_id, changes.subscription_id
),

-- What the first change leaves untold held since the start as it was first told, the status apart: being canceled,
-- unpaid or paused follows upon service.
openings as materialized (
    select
        subscriptions.tenant_id,
        subscriptions.subscription_id,
        {%- for fact in facts %}
            subscriptions.{{ fact }},
        {%- endfor %}
        case
            when first_told.status in ('trialing', 'active', 'incomplete', 'incomplete_expired')
                then first_told.status
            when first_told.status is not null then 'active'
            when subscriptions.status = 'canceled' and subscriptions.ends_at is not null then 'active'
            else subscriptions.status
        end as status,
        {%- for term in terms %}
            coalesce(first_told.{{ term }}, subscriptions.{{ term }}) as {{ term }},
        {%- endfor %}
        coalesce(first_told.tells_trials, false) as tells_trials,
        first_told.subscription_id is null
        or (first_told.opens_canceled and first_told.first_changed_at > subscriptions.started_at) as has_own_row
    from subscriptions
    left join first_told
        on
            subscriptions.tenant_id = first_told.tenant_id
            and subscriptions.subscription_id = first_told.subscription_id
),

told as (
    select
        openings.tenant_id,
        openings.subscription_id,
        0 as change_number,
        openings.started_at as changed_at,
        openings.tells_trials,
        {%- for fact in facts %}
            openings.{{ fact }},
        {%- endfor %}
        openings.status
        {%- for term in terms %},
            openings.{{ term }}
        {%- endfor %}
    from openings
    where openings.has_own_row
    union all
    select
        carried_forward.tenant_id,
        carried_forward.subscription_id,
        carried_forward.change_number,
        carried_forward.changed_at,
        openings.tells_trials,
        {%- for fact in facts %}
            openings.{{ fact }},
        {%- endfor %}
        coalesce(carried_forward.status, openings.status) as status
        {%- for term in terms %},
            coalesce(carried_forward.{{ term }}, openings.{{ term }}) as {{ term }}
        {%- endfor %}
    from carried_forward
    inner join openings
        on
            carried_forward.tenant_id = openings.tenant_id
            and carried_forward.subscription_id = openings.subscription_id
),

-- The first row holds back to the start and none begins before it; of rows at one instant the last holds.
placed as (
    select
        told.tenant_id,
        told.subscription_id,
        told.status,
        told.tells_trials,
        {%- for term in terms %}
            told.{{ term }},
        {%- endfor %}
        {%- for fact in facts if fact != 'ends_at' %}
            told.{{ fact }},
        {%- endfor %}
        case
            when told.ends_at is null then 'infinity'::timestamptz
            else greatest(told.ends_at, told.started_at)
        end as ends_at,
        case
            when lag(told.change_number) over history is null then told.started_at
            else greatest(told.changed_at, told.started_at)
        end as row_from,
        case
            when lead(told.change_number) over history is null then 'infinity'::timestamptz
            else greatest(lead(told.changed_at) over history, told.started_at)
        end as next_row_from
    from told
    window history as (partition by told.tenant_id, told.subscription_id order by told.change_number)
),

-- The end cuts what follows. A subscription that ended when it started, or before, keeps one row of no length.
history_rows as (
    select
        placed.*,
        least(placed.next_row_from, placed.ends_at) as row_to,
        coalesce(placed.status <> lag(placed.status) over history, true) as is_new_status
    from placed
    where
        placed.row_from < placed.next_row_from
        and (
            placed.row_from < placed.ends_at
            or (placed.row_from = placed.ends_at and placed.ends_at = placed.started_at)
        )
    window history as (partition by placed.tenant_id, placed.subscription_id order by placed.row_from)
),

-- The trial window of the present row counts where the history tells of no trial.
status_spells as (
    select
        history_rows.*,
        case when not history_rows.tells_trials then history_rows.trial_from end as window_from,
        max(case when history_rows.is_new_status then history_rows.row_from end) over (
            partition by history_rows.tenant_id, history_rows.subscription_id order by history_rows.row_from
        ) as status_from
    from history_rows
),

-- past_due runs out after the tenant's days, counted from the end of a trial it followed.
limited as (
    select
        status_spells.*,
        case
            when status_spells.status = 'past_due'
                then (
                    greatest(
                        status_spells.status_from,
                        case
                            when status_spells.window_from <= status_spells.status_from
                                then status_spells.trial_end
                        end
                    ) at time zone status_spells.timezone
                    + make_interval(days => status_spells.past_due_days)
                ) at time zone status_spells.timezone
        end as lapses_at
    from status_spells
),

-- Rows are cut where a trial begins or ends, where past_due runs out, and where the wish to cancel became known.
pieces as (
    select
        limited.tenant_id,
        limited.subscription_id,
        limited.customer_id,
        {%- for term in terms %}
            limited.{{ term }},
        {%- endfor %}
        limited.timezone,
        limited.tenant_currency,
        limited.canceled_at,
        limited.ended_before_start,
        cuts.piece_from,
        lead(cuts.piece_from, 1, limited.row_to) over (
            partition by limited.tenant_id, limited.subscription_id, limited.row_from order by cuts.piece_from
        ) as piece_to,
        coalesce(cuts.piece_from < limited.uncommitted_from, true) as is_committed,
        case
            when limited.ended_before_start then 'canceled'
            when
                limited.status in ('active', 'past_due', 'unpaid')
                and cuts.piece_from >= limited.window_from
                and cuts.piece_from < limited.trial_end
                then 'trialing'
            when
                limited.status = 'trialing'
                and limited.status_from < limited.trial_end
                and cuts.piece_from >= limited.trial_end
                then 'active'
            when cuts.piece_from >= limited.lapses_at then 'unpaid'
            else limited.status
        end as status
    from limited
    cross join lateral (
        select distinct cut as piece_from
        from
            unnest(
                array[
                    limited.row_from,
                    limited.window_from,
                    limited.trial_end,
                    limited.lapses_at,
                    limited.uncommitted_from
                ]
            ) as cut
        where cut = limited.row_from or (cut > limited.row_from and cut < limited.row_to)
    ) as cuts
),

-- Monthly amount in the subscription's own currency. The fixed scale makes equal terms give equal amounts.
priced as (
    select
        pieces.*,
        case
            when pieces.status not in ('active', 'past_due', 'trialing') then 0
            when pieces.piece_from = pieces.piece_to or pieces.interval_count <= 0 then 0
            else
                (
                    greatest(pieces.quantity * pieces.unit_amount, 0)
                    * (100 - least(greatest(coalesce(pieces.forever_discount_percent, 0), 0), 100))
                    * case pieces.billing_interval
                        when 'day' then 365
                        when 'week' then 52
                        when 'month' then 12
                        else 1
                    end
                )::numeric(60, 20)
                / (1200 * pieces.interval_count)
        end as original_amount
    from pieces
),

paid as (
    select
        priced.*,
        coalesce(
            bool_or(priced.status in ('active', 'past_due') and priced.original_amount > 0) over (
                partition by priced.tenant_id, priced.subscription_id
                order by priced.piece_from
                rows between unbounded preceding and 1 preceding
            ), false
        ) as paid_before
    from priced
),

-- A free month given to one who already paid keeps its amount: such a trial counts as active.
effective as (
    select
        paid.*,
        paid.status = 'trialing' and paid.paid_before as is_free_period,
        case when paid.status = 'trialing' and paid.paid_before then 'active' else paid.status end as effective_status
    from paid
),

compared as (
    select
        effective.*,
        row(
            effective.effective_status
            {%- for term in terms %},
                effective.{{ term }}
            {%- endfor %}
        ) as terms_in_force,
        row(effective.is_committed, effective.is_free_period) as flags
    from effective
),

-- A repeated change begins no row: only other terms or another status do, and only they are rated anew.
marked as (
    select
        compared.*,
        coalesce(compared.terms_in_force <> lag(compared.terms_in_force) over pieces_in_order, true) as is_new_row,
        coalesce(compared.flags <> lag(compared.flags) over pieces_in_order, true) as is_new_flag
    from compared
    window pieces_in_order as (
        partition by compared.tenant_id, compared.subscription_id order by compared.piece_from
    )
),

dated as (
    select
        marked.*,
        (
            max(case when marked.is_new_row then marked.piece_from end) over (
                partition by marked.tenant_id, marked.subscription_id order by marked.piece_from
            ) at time zone marked.timezone
        )::date as rated_on,
        max(marked.piece_to) over (partition by marked.tenant_id, marked.subscription_id) as service_to
    from marked
),

periods as materialized (
    select
        dated.*,
        dated.piece_from as valid_from,
        lead(dated.piece_from, 1, dated.service_to) over periods_in_order as valid_to,
        lag(dated.currency) over periods_in_order as previous_currency,
        lag(dated.original_amount) over periods_in_order as previous_amount,
        coalesce(lag(dated.effective_status) over periods_in_order in ('active', 'past_due'), false) as was_counted,
        lead(dated.effective_status) over periods_in_order as next_status,
        dated.effective_status in ('active', 'past_due') as is_counted
    from dated
    where dated.is_new_row or dated.is_new_flag
    window periods_in_order as (partition by dated.tenant_id, dated.subscription_id order by dated.piece_from)
),

rate_needs as (
    select distinct
        needs.currency,
        periods.rated_on
    from periods
    cross join lateral (
        values
        (periods.currency),
        (periods.previous_currency),
        (periods.tenant_currency)
    ) as needs (currency)
    where
        needs.currency is not null
        and (periods.currency <> periods.tenant_currency or periods.previous_currency <> periods.tenant_currency)
),

rates as materialized (
    select
        in_force.currency,
        in_force.rated_on,
        in_force.units_per_eur
    from {{ rates_in_force('rate_needs') }} as in_force
),

rated as (
    select
        periods.*,
        case
            when periods.currency = periods.tenant_currency then 1
            else own.units_per_eur
        end as units,
        case when periods.currency = periods.tenant_currency then 1 else tenants.units_per_eur end as tenant_units,
        case
            when periods.previous_currency = periods.tenant_currency then 1
            else previous.units_per_eur
        end as previous_units,
        case when periods.previous_currency = periods.tenant_currency then 1 else tenants.units_per_eur end
            as previous_tenant_units
    from periods
    left join rates as own on periods.currency = own.currency and periods.rated_on = own.rated_on
    left join rates as tenants on periods.tenant_currency = tenants.currency and periods.rated_on = tenants.rated_on
    left join rates as previous
        on periods.previous_currency = previous.currency and periods.rated_on = previous.rated_on
),

converted as (
    select
        rated.*,
        case
            when rated.original_amount = 0 then 0
            else trim_scale(rated.original_amount * rated.tenant_units / rated.units)
        end as amount
    from rated
),

-- What the amount carried over from the row before is worth at this row's rate.
revalued as (
    select
        converted.*,
        lag(converted.amount) over periods_in_order as previous_converted,
        case
            when converted.currency = converted.previous_currency
                and converted.original_amount = converted.previous_amount
                then converted.amount
            else trim_scale(
                converted.previous_amount * converted.previous_tenant_units / converted.previous_units
            )
        end as previous_revalued
    from converted
    window periods_in_order as (
        partition by converted.tenant_id, converted.subscription_id order by converted.valid_from
    )
)

select
    tenant_id,
    subscription_id,
    customer_id,
    valid_from,
    valid_to,
    (valid_from at time zone timezone)::date as first_date,
    case when valid_to < 'infinity' then (valid_to at time zone timezone)::date end as end_date,
    effective_status as status,
    plan,
    currency,
    trim_scale(original_amount) as original_amount,
    rated_on,
    case when currency <> tenant_currency and original_amount > 0 then trim_scale(tenant_units / units) else 1 end
        as exchange_rate,
    case when is_counted then amount else 0 end as mrr,
    case when effective_status = 'trialing' then amount else 0 end as trial_mrr,
    case when is_counted and is_committed then amount else 0 end as committed_mrr,
    case
        when is_counted and was_counted and original_amount > 0 and previous_amount > 0
            then trim_scale(coalesce(previous_revalued - previous_converted, 0))
        else 0
    end as fx_impact,
    paid_before,
    is_free_period,
    is_counted
    and valid_from < valid_to
    and not coalesce(
        bool_or(is_counted and valid_from < valid_to) over (
            partition by tenant_id, subscription_id order by valid_from
            rows between unbounded preceding and 1 preceding
        ), false
    ) as begins_service,
    effective_status not in ('canceled', 'incomplete', 'incomplete_expired')
    and coalesce(next_status = 'canceled', valid_to < 'infinity') as ends_service,
    coalesce(
        valid_to = canceled_at and valid_from < valid_to
        and effective_status not in ('canceled', 'incomplete', 'incomplete_expired'), false
    ) as cancellation_requested,
    ended_before_start,
    original_amount > 0 and amount is null as is_rate_missing
from revalued
