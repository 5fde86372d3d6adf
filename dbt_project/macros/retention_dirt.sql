{#-
    What of the retention models a build has to count anew, as temporary tables that their pre-hooks make in the
    model's transaction. All of it follows from the plan and from what models before logged in this build, so it is the
    same again when a failed build is repeated. Cells are counted anew, never moved on by a difference.
-#}

{#- `retention_entities` (tenant_id, subject, entity_id): who may have got another first day. A user's day after the
    first cannot change it. -#}
{% macro prepare_retention_entities() -%}
{% if is_incremental() %}
    create temporary table retention_entities on commit drop as
    select
        changed.tenant_id,
        'user' as subject,
        changed.entity_id
    from {{ changed_entities(['int_activity__user_days']) }} as changed
    where
        not exists (
            select from {{ this }} as firsts
            where
                firsts.tenant_id = changed.tenant_id
                and firsts.subject = 'user'
                and firsts.cohort_by = 'first_activity'
                and firsts.entity_id = changed.entity_id
                and firsts.first_date < changed.metric_date
        )
    union
    select tenant_id, 'user', entity_id from {{ dirty_entities('user') }} as users
    union
    select tenant_id, 'customer', entity_id from {{ dirty_entities('customer') }} as customers
    union
    select days.tenant_id, 'user', days.user_id
    from {{ whole_tenants() }} as whole
    inner join {{ ref('int_activity__user_days') }} as days on whole.tenant_id = days.tenant_id
    union
    select firsts.tenant_id, firsts.subject, firsts.entity_id
    from {{ whole_tenants() }} as whole
    inner join {{ this }} as firsts on whole.tenant_id = firsts.tenant_id;

    create temporary table retention_entity_keys on commit drop as
    select
        entities.tenant_id,
        entities.subject,
        cohorts.cohort_by,
        entities.entity_id
    from retention_entities as entities
    inner join (select * from {{ retention_cohorts() }} as kinds (subject, cohort_by)) as cohorts
        on entities.subject = cohorts.subject;

    analyze retention_entities, retention_entity_keys
{%- else -%}
    select 1
{%- endif %}
{%- endmacro %}

{#- Tenants with the settings that counting needs, and kinds of cohorts the tenant asks for. -#}
{% macro retention_tenant_cohorts() -%}
(
    select
        tenants.tenant_id,
        tenants.week_start,
        tenants.as_of_date,
        tenants.complete_date,
        cohorts.subject,
        cohorts.cohort_by
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ retention_cohorts() }} as cohorts (subject, cohort_by)
        on cohorts.cohort_by = any(tenants.retention_cohorts)
)
{%- endmacro %}

{#-
    `retention_buckets`: counted buckets (keys of int_retention__active_buckets) of which the users or the completeness
    changed. Only complete buckets are counted. is_counted is false for keys of rows that may only have to go.
-#}
{% macro prepare_retention_buckets(with_stale_rows=true, with_previous_day=false) -%}
create temporary table retention_completed_days on commit drop as
select
    spans.tenant_id,
    day::date as day,
    tenants.week_start
from {{ dirty_spans('completed') }} as spans
inner join {{ ref('stg_platform__tenants') }} as tenants on spans.tenant_id = tenants.tenant_id
cross join lateral generate_series(
    spans.date_from::timestamp, least(spans.date_to, tenants.complete_date)::timestamp, interval '1 day'
) as day;

-- First days of which the cohort changed.
create temporary table retention_first_days on commit drop as
select
    changed.tenant_id,
    cohorts.subject,
    cohorts.cohort_by,
    changed.metric_date as first_date,
    cohorts.week_start,
    cohorts.as_of_date,
    cohorts.complete_date
from (
    select tenant_id, metric_date from {{ changed_days(['int_retention__first_days']) }} as changed_firsts
    union
    select distinct firsts.tenant_id, firsts.first_date
    from {{ whole_tenants() }} as whole
    inner join {{ ref('int_retention__first_days') }} as firsts on whole.tenant_id = firsts.tenant_id
) as changed
inner join {{ retention_tenant_cohorts() }} as cohorts on changed.tenant_id = cohorts.tenant_id
union
select
    firsts.tenant_id,
    subjects.subject,
    firsts.cohort_by,
    firsts.first_date,
    tenants.week_start,
    tenants.as_of_date,
    tenants.complete_date
from (
    select tenant_id, entity_id from {{ changed_entities(['int_revenue__customer_periods']) }} as changed
    union
    -- A period that lay ahead has begun: the customer is a later payer than before.
    select dirty.tenant_id, dirty.entity_id
    from {{ dirty_entities('customer') }} as dirty
    inner join {{ dirty_spans('clock') }} as clocks on dirty.tenant_id = clocks.tenant_id
    inner join {{ ref('int_revenue__customer_periods') }} as periods
        on
            dirty.tenant_id = periods.tenant_id
            and dirty.entity_id = periods.customer_id
            and periods.valid_from >= clocks.from_at
            and periods.valid_from < clocks.to_at
) as payers
inner join {{ ref('int_retention__first_days') }} as firsts
    on payers.tenant_id = firsts.tenant_id and firsts.subject = 'customer' and payers.entity_id = firsts.entity_id
inner join {{ ref('stg_platform__tenants') }} as tenants on firsts.tenant_id = tenants.tenant_id
cross join (values ('customer'), ('revenue')) as subjects (subject);

-- Users' days that changed and had been complete before, with the user's first days.
create temporary table retention_user_days on commit drop as
select
    changed.tenant_id,
    changed.entity_id,
    firsts.cohort_by,
    firsts.first_date,
    changed.metric_date as day,
    tenants.week_start,
    tenants.complete_date,
    exists (
        select from retention_completed_days as completed
        where completed.tenant_id = changed.tenant_id and completed.day = changed.metric_date
    ) as is_just_completed,
    {% if with_previous_day -%} earlier.activity_date {%- else -%} null::date {%- endif %} as previous_day
from {{ changed_entities(['int_activity__user_days']) }} as changed
{% if with_previous_day -%}
    left join lateral (
        select days.activity_date
        from {{ ref('int_activity__user_days') }} as days
        where
            days.tenant_id = changed.tenant_id
            and days.user_id = changed.entity_id
            and days.activity_date < changed.metric_date
        order by days.activity_date desc
        limit 1
    ) as earlier on true
{% endif -%}
inner join {{ ref('stg_platform__tenants') }} as tenants on changed.tenant_id = tenants.tenant_id
inner join {{ ref('int_retention__first_days') }} as firsts
    on
        changed.tenant_id = firsts.tenant_id
        and firsts.subject = 'user'
        and changed.entity_id = firsts.entity_id
        and changed.metric_date >= firsts.first_date;

create temporary table retention_buckets on commit drop as
with counted as (
    -- Buckets that end with a day that has just ended.
    select
        completed.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        completed.day + 1 - (indexes.period_index + 1) * buckets.days as first_date,
        buckets.period,
        buckets.mode,
        indexes.period_index
    from retention_completed_days as completed
    inner join {{ retention_tenant_cohorts() }} as cohorts on completed.tenant_id = cohorts.tenant_id
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(0, buckets.last_index) as indexes (period_index)
    where buckets.mode = 'rolling'
    union
    select
        completed.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        case buckets.period
            when 'week' then completed.day + 1 - (indexes.period_index + 1) * 7
            else (completed.day + 1 - (indexes.period_index + 1) * interval '1 month')::date
        end,
        buckets.period,
        buckets.mode,
        indexes.period_index
    from retention_completed_days as completed
    inner join {{ retention_tenant_cohorts() }} as cohorts on completed.tenant_id = cohorts.tenant_id
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(0, buckets.last_index) as indexes (period_index)
    where
        buckets.mode = 'calendar'
        and completed.day + 1
        = {{ retention_cohort_start('buckets.period', '(completed.day + 1)', 'completed.week_start') }}
    union
    -- Buckets that hold a user's day that changed.
    select
        days.tenant_id,
        'user',
        days.cohort_by,
        case buckets.mode
            when 'rolling' then days.first_date
            else {{ retention_cohort_start('buckets.period', 'days.first_date', 'days.week_start') }}
        end,
        buckets.period,
        buckets.mode,
        indexes.period_index
    from retention_user_days as days
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral (
        select {{ retention_index('buckets', 'days.first_date', 'days.day', 'days.week_start') }} as period_index
    ) as indexes
    where
        not days.is_just_completed
        and buckets.mode <> 'unbounded'
        and indexes.period_index <= buckets.last_index
        and {{ retention_bucket_end('buckets', 'days.first_date', 'indexes.period_index', 'days.week_start') }}
        <= days.complete_date + 1
    union
    -- All buckets of first days that changed.
    select
        firsts.tenant_id,
        firsts.subject,
        firsts.cohort_by,
        case buckets.mode
            when 'rolling' then firsts.first_date
            else {{ retention_cohort_start('buckets.period', 'firsts.first_date', 'firsts.week_start') }}
        end,
        buckets.period,
        buckets.mode,
        indexes.period_index
    from retention_first_days as firsts
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        0,
        least(
            {{ retention_index('buckets', 'firsts.first_date', '(firsts.complete_date + 1)', 'firsts.week_start') }}
            - 1,
            buckets.last_index
        )
    ) as indexes (period_index)
    where buckets.mode <> 'unbounded'
)

select
    counted.tenant_id,
    counted.subject,
    counted.cohort_by,
    'all' as only_period,
    counted.period,
    counted.mode,
    counted.period_index,
    counted.first_date,
    true as is_counted
from counted;


{% if with_stale_rows -%}
    insert into retention_buckets
    select distinct
        stale.tenant_id,
        stale.subject,
        stale.cohort_by,
        stale.only_period,
        stale.period,
        stale.mode,
        stale.period_index,
        stale.first_date,
        false
    from {{ rows_of_whole_or_recurring_tenants(this) }} as stale
    where
        not exists (
            select from retention_buckets as counted
            where
                counted.tenant_id = stale.tenant_id
                and counted.subject = stale.subject
                and counted.cohort_by = stale.cohort_by
                and counted.only_period = stale.only_period
                and counted.period = stale.period
                and counted.mode = stale.mode
                and counted.period_index = stale.period_index
                and counted.first_date = stale.first_date
        );
{% endif %}

analyze retention_buckets
{%- endmacro %}

{#- Rows of a model that may have to go: all of tenants that are repaired as a whole, recurring ones of those that ask. -#}
{% macro rows_of_whole_or_recurring_tenants(relation) -%}
(
    select of_tenant.*
    from {{ whole_tenants() }} as whole
    cross join lateral (
        select candidates.* from {{ relation }} as candidates where candidates.tenant_id = whole.tenant_id offset 0
    ) as of_tenant
    union all
    select of_tenant.*
    from {{ recurring_tenants() }} as asking
    cross join lateral (
        select candidates.*
        from {{ relation }} as candidates
        where
            candidates.tenant_id = asking.tenant_id
            and candidates.subject = 'user'
            and candidates.cohort_by = 'recurring'
        offset 0
    ) as of_tenant
)
{%- endmacro %}

{% macro prepare_active_buckets() -%}
{% if is_incremental() -%} {{ prepare_retention_buckets() }} {%- else -%} select 1 {%- endif %}
{%- endmacro %}

{#- `retention_cells`: rows of cohort_retention whose cohort, buckets or completeness changed, and those of buckets that
    have begun. -#}
{% macro prepare_retention_cells() -%}
{% if is_incremental() -%}
{{ prepare_retention_buckets(with_stale_rows=false, with_previous_day=true) }};

create temporary table retention_cells on commit drop as
with begun_days as (
    select tenant_id, day, week_start from retention_completed_days
    union
    select tenants.tenant_id, tenants.as_of_date, tenants.week_start
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ dirty_tenants('clock') }} as clocks on tenants.tenant_id = clocks.tenant_id
),

dirty as (
    select
        changed.tenant_id,
        changed.subject,
        changed.cohort_by,
        changed.period,
        changed.mode,
        {{ retention_cohort_start('changed.period', 'changed.first_date', 'tenants.week_start') }} as cohort_start,
        changed.period_index
    from retention_buckets as changed
    inner join {{ ref('stg_platform__tenants') }} as tenants on changed.tenant_id = tenants.tenant_id
    union
    -- Unbounded buckets are calendar buckets.
    select
        changed.tenant_id,
        changed.subject,
        changed.cohort_by,
        changed.period,
        'unbounded',
        changed.first_date,
        changed.period_index
    from retention_buckets as changed
    where changed.subject <> 'revenue' and (changed.mode = 'calendar' or changed.period = 'day')
    union
    -- All cells of first days that changed.
    select
        firsts.tenant_id,
        firsts.subject,
        firsts.cohort_by,
        buckets.period,
        buckets.mode,
        {{ retention_cohort_start('buckets.period', 'firsts.first_date', 'firsts.week_start') }},
        indexes.period_index
    from retention_first_days as firsts
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        0,
        least(
            {{ retention_index('buckets', 'firsts.first_date', 'firsts.as_of_date', 'firsts.week_start') }},
            buckets.last_index
        )
    ) as indexes (period_index)
    where not (firsts.subject = 'revenue' and buckets.mode = 'unbounded')
    union
    -- Buckets that begin.
    select
        begun.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        buckets.period,
        buckets.mode,
        {{ retention_cohort_start('buckets.period', 'first_days.first_date', 'begun.week_start') }},
        indexes.period_index
    from begun_days as begun
    inner join {{ retention_tenant_cohorts() }} as cohorts on begun.tenant_id = cohorts.tenant_id
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(0, buckets.last_index) as indexes (period_index)
    cross join lateral (
        select
            case
                when buckets.mode = 'rolling' then begun.day - indexes.period_index * buckets.days
                when buckets.period = 'day' then begun.day - indexes.period_index
                when buckets.period = 'week' then begun.day - indexes.period_index * 7
                else (begun.day - indexes.period_index * interval '1 month')::date
            end as first_date
    ) as first_days
    where
        not (cohorts.subject = 'revenue' and buckets.mode = 'unbounded')
        and (
            buckets.mode = 'rolling'
            or begun.day = {{ retention_cohort_start('buckets.period', 'begun.day', 'begun.week_start') }}
        )
    union
    -- Unbounded: users who were away in complete buckets before the day that changed, and are back or no more.
    select
        days.tenant_id,
        'user',
        days.cohort_by,
        buckets.period,
        buckets.mode,
        {{ retention_cohort_start('buckets.period', 'days.first_date', 'days.week_start') }},
        indexes.period_index
    from retention_user_days as days
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        case
            when days.previous_day >= days.first_date
                then
                    {{ retention_index('buckets', 'days.first_date', 'days.previous_day', 'days.week_start') }} + 1
            else 0
        end,
        least(
            {{ retention_index('buckets', 'days.first_date', 'days.day', 'days.week_start') }},
            {{ retention_index('buckets', 'days.first_date', '(days.complete_date + 1)', 'days.week_start') }} - 1,
            buckets.last_index
        )
    ) as indexes (period_index)
    where buckets.mode = 'unbounded'
),

dirty_and_recurring as (
    select
        dirty.tenant_id,
        dirty.subject,
        dirty.cohort_by,
        dirty.period,
        dirty.mode,
        dirty.cohort_start,
        dirty.period_index
    from dirty
    union
    -- A day is counted once and published as both.
    select
        dirty.tenant_id,
        dirty.subject,
        dirty.cohort_by,
        dirty.period,
        'calendar',
        dirty.cohort_start,
        dirty.period_index
    from dirty
    where dirty.period = 'day' and dirty.mode = 'rolling'
    union
    select
        sizes.tenant_id,
        sizes.subject,
        sizes.cohort_by,
        buckets.period,
        modes.mode,
        sizes.first_date,
        indexes.period_index
    from {{ recurring_tenants() }} as asking
    inner join {{ ref('int_retention__cohort_sizes') }} as sizes
        on
            asking.tenant_id = sizes.tenant_id
            and sizes.subject = 'user'
            and sizes.cohort_by = 'recurring'
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on sizes.only_period = buckets.period and (buckets.mode <> 'rolling' or buckets.period = 'day')
    cross join lateral (
        select buckets.mode
        union all
        select 'calendar' where buckets.period = 'day' and buckets.mode = 'rolling'
    ) as modes (mode)
    cross join lateral generate_series(
        0,
        least(
            {{ retention_index('buckets', 'sizes.first_date', 'asking.as_of_date', 'asking.week_start') }},
            buckets.last_index
        )
    ) as indexes (period_index)
)

select
    dirty_and_recurring.tenant_id,
    dirty_and_recurring.subject,
    dirty_and_recurring.cohort_by,
    dirty_and_recurring.period,
    dirty_and_recurring.mode,
    dirty_and_recurring.cohort_start,
    dirty_and_recurring.period_index,
    true as is_counted
from dirty_and_recurring;

insert into retention_cells
select distinct
    stale.tenant_id,
    stale.subject,
    stale.cohort_by,
    stale.period,
    stale.mode,
    stale.cohort_start,
    stale.period_index,
    false
from {{ rows_of_whole_or_recurring_tenants(this) }} as stale
where
    not exists (
        select from retention_cells as counted
        where
            counted.tenant_id = stale.tenant_id
            and counted.subject = stale.subject
            and counted.cohort_by = stale.cohort_by
            and counted.period = stale.period
            and counted.mode = stale.mode
            and counted.cohort_start = stale.cohort_start
            and counted.period_index = stale.period_index
    );

analyze retention_cells
{%- else -%}
select 1
{%- endif %}
{%- endmacro %}

{#- Rows of int_retention__cohort_sizes to count anew. -#}
{% macro retention_sizes_scope(t) -%}
(
    (
        {{ t }}.cohort_by <> 'recurring'
        and ({{ t }}.tenant_id, {{ t }}.first_date) in (
            select tenant_id, metric_date from {{ changed_days(['int_retention__first_days']) }} as changed
        )
    )
    or (
        {{ t }}.cohort_by = 'recurring'
        and {{ t }}.tenant_id in (select tenant_id from {{ dirty_tenants(['activity', 'users', 'clock']) }} as dirty)
    )
)
{%- endmacro %}
