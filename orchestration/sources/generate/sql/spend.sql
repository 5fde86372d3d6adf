-- raw.marketing_spend (weekly, four channels) and raw.finance_inputs (monthly). Sizes follow p.spend_a_week, an
-- amount in the tenant's currency.
insert into raw.marketing_spend (tenant_id, spend_id, spend_date, channel, amount, currency, extra)
select
    p.tenant_id,
    'spend-' || c.channel || '-' || to_char(spent.day, 'YYYYMMDD'),
    spent.day,
    c.channel,
    round(
        p.spend_a_week * c.share * (0.5 + week * 7.0 / p.days) * (0.7 + 0.6 * pg_temp.unit(p.seed, 500 + c.n, week))::numeric,
        case when p.currency = 'JPY' then 0 else 2 end
    ),
    p.currency,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(0, (p.days - 1) / 7) as week
cross join (values (1, 'search', 0.45), (2, 'social', 0.3), (3, 'fairs', 0.15), (4, 'print', 0.1)) as c (n, channel, share)
cross join lateral (select p.first_day + 7 * week as day) as spent
on conflict do nothing;

insert into raw.finance_inputs (tenant_id, month, cash_balance, monthly_burn, currency, extra)
select
    p.tenant_id,
    month::date,
    round(
        p.spend_a_week * 260 * greatest(0.25, 1 - (month::date - p.first_day) / (2.5 * greatest(p.days, 365))),
        case when p.currency = 'JPY' then 0 else 2 end
    ),
    round(
        (p.spend_a_week * 260 * 30.4 / (2.5 * greatest(p.days, 365))
        * (0.9 + 0.2 * pg_temp.unit(p.seed, 510, month::date - date '2000-01-01')))::numeric,
        case when p.currency = 'JPY' then 0 else 2 end
    ),
    p.currency,
    '{"generated": true}'
from pg_temp.plan as p
cross join lateral generate_series(
    date_trunc('month', p.first_day::timestamp), (p.first_day + p.days - 1)::timestamp, interval '1 month'
) as month
on conflict do nothing;
