-- billing_terms for the tenant's subscriptions that stand in raw.subscriptions already: bills are made for
-- them, they themselves stay as they are. Numbered by key, so that a bill does not depend on row order.
create temporary table billing_terms on commit drop as
select
    p.tenant_id,
    p.seed,
    p.end_at,
    row_number() over (order by s.subscription_id) as number,
    s.subscription_id,
    s.customer_id,
    s.currency,
    s.unit_amount * s.quantity as amount,
    null::timestamptz as changed_at,
    null::numeric as changed_amount,
    s.billing_interval,
    s.started_at as billed_from,
    least(coalesce(s.ended_at, p.end_at), p.end_at) as billed_until,
    null::timestamptz as paused_at,
    null::timestamptz as resumed_at
from pg_temp.plan as p
inner join raw.subscriptions as s on p.tenant_id = s.tenant_id
where s.deleted_at is null and s.started_at < p.end_at;
