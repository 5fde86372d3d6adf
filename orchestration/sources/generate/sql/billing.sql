-- raw.invoices and raw.payments from the temporary table billing_terms. One charge in seventeen fails at first;
-- it is tried again after three and after eight days, and is given up after thirty.
create temporary table bills on commit drop as
select
    t.tenant_id,
    t.subscription_id,
    t.customer_id,
    t.currency,
    t.end_at,
    t.subscription_id || '-' || lpad(period::text, 3, '0') as bill_id,
    issued.at as issued_at,
    net.amount + round(net.amount * 0.1, minor.digits) as amount,
    round(net.amount * 0.1, minor.digits) as tax,
    fate.void,
    fate.failed_attempts,
    case
        when fate.void then 'void'
        when pay.paid_at < t.end_at then 'paid'
        when fate.failed_attempts = 3 and issued.at + interval '30 days' < t.end_at then 'uncollectible'
        else 'open'
    end as status,
    case when not fate.void and pay.paid_at < t.end_at then pay.paid_at end as paid_at,
    fate.refunded
from billing_terms as t
cross join lateral generate_series(0, 240) as period
cross join lateral (
    select t.billed_from + period * case t.billing_interval
        when 'year' then interval '1 year' when 'week' then interval '7 days' else interval '1 month'
    end as at
) as issued
cross join lateral (
    select case when issued.at >= t.changed_at then t.changed_amount else t.amount end as amount
) as net
cross join lateral (select case when t.currency in ('JPY', 'KRW') then 0 else 2 end as digits) as minor
cross join lateral (
    select
        pg_temp.unit(t.seed, 401, 1000 * t.number + period) < 0.004 as void,
        pg_temp.unit(t.seed, 402, 1000 * t.number + period) < 0.008 as refunded,
        case
            when pg_temp.unit(t.seed, 403, 1000 * t.number + period) >= 0.06 then 0
            when pg_temp.unit(t.seed, 404, 1000 * t.number + period) < 0.6 then 1
            when pg_temp.unit(t.seed, 405, 1000 * t.number + period) < 0.55 then 2
            else 3
        end as failed_attempts
) as fate
cross join lateral (
    select case
        when fate.failed_attempts < 3
            then issued.at + interval '20 minutes'
                + (array[interval '0', interval '3 days', interval '8 days'])[fate.failed_attempts + 1]
    end as paid_at
) as pay
where
    issued.at < t.billed_until
    and net.amount > 0
    and (t.paused_at is null or issued.at not between t.paused_at and t.resumed_at);

insert into raw.invoices (
    tenant_id, invoice_id, customer_id, subscription_id, status, amount_due, amount_paid, tax, currency,
    issued_at, due_at, paid_at, attempt_count, next_attempt_at, extra
)
select
    b.tenant_id,
    'invoice-' || b.bill_id,
    b.customer_id,
    b.subscription_id,
    b.status,
    b.amount,
    case when b.status = 'paid' then b.amount else 0 end,
    b.tax,
    b.currency,
    b.issued_at,
    b.issued_at + interval '14 days',
    b.paid_at,
    a.made,
    case when b.status = 'open' then a.next_at end,
    '{"generated": true}'
from bills as b
cross join lateral (
    select
        count(*) filter (where attempt.at < b.end_at) as made,
        min(attempt.at) filter (where attempt.at >= b.end_at) as next_at
    from (
        values
        (0, b.issued_at + interval '20 minutes'),
        (1, b.issued_at + interval '3 days 20 minutes'),
        (2, b.issued_at + interval '8 days 20 minutes')
    ) as attempt (number, at)
    where attempt.number <= b.failed_attempts and not b.void
) as a
on conflict do nothing;

insert into raw.payments (
    tenant_id, payment_id, invoice_id, customer_id, status, amount, currency, attempted_at, failure_code,
    refunded_amount, extra
)
select
    b.tenant_id,
    'payment-' || b.bill_id || '-' || attempt.number,
    'invoice-' || b.bill_id,
    b.customer_id,
    case
        when attempt.number < b.failed_attempts then 'failed'
        when b.refunded and b.paid_at + interval '5 days' < b.end_at then 'refunded'
        else 'succeeded'
    end,
    b.amount,
    b.currency,
    attempt.at,
    case when attempt.number < b.failed_attempts then attempt.failure_code end,
    case
        when attempt.number = b.failed_attempts and b.refunded and b.paid_at + interval '5 days' < b.end_at
            then b.amount
    end,
    '{"generated": true}'
from bills as b
cross join lateral (
    values
    (0, b.issued_at + interval '20 minutes', 'insufficient_funds'),
    (1, b.issued_at + interval '3 days 20 minutes', 'card_declined'),
    (2, b.issued_at + interval '8 days 20 minutes', 'expired_card')
) as attempt (number, at, failure_code)
where attempt.number <= b.failed_attempts and attempt.at < b.end_at and not b.void
on conflict do nothing;
