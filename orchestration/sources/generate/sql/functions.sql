-- Draws and clocks of the generator, for one connection. A draw depends on the seed, the draw's number and the
-- row's number alone: not on the order in which rows are made, nor on how many are made in one statement.

-- A number in [0, 1).
create or replace function pg_temp.unit(seed bigint, draw integer, row_number bigint) returns double precision
language sql immutable parallel safe
return (hashint8extended(row_number, seed + draw) & 1073741823)::double precision / 1073741824;

-- A waiting time with the given mean.
create or replace function pg_temp.waiting(draw double precision, mean interval) returns interval
language sql immutable parallel safe
return mean * least(-ln(1 - draw), 6);

-- A whole number from 1 to n.
create or replace function pg_temp.pick(draw double precision, n bigint) returns bigint
language sql immutable parallel safe
return 1 + floor(draw * n)::bigint;

-- The day, counted from the first, on which entity `row_number` of `n` comes in: growth, slow at first.
create or replace function pg_temp.arrival_day(row_number bigint, n bigint, days integer) returns integer
language sql immutable parallel safe
return least(days - 1, floor(days * power((row_number - 0.5) / greatest(n, 1), 0.65))::integer);

-- Days to go back from a day: two weekend days of three move to a working day of the week before them.
create or replace function pg_temp.days_back(day date, draw double precision) returns integer
language sql immutable parallel safe
return case
    when draw < 0.66 and mod(day - date '2000-01-03', 7) >= 5
        then mod(day - date '2000-01-03', 7) - 4 + floor(draw / 0.66 * 5)::integer
    else 0
end;

-- A time of day between 08:00 and 22:30 with a crest in the late morning and one in the evening.
create or replace function pg_temp.time_of_day(which double precision, a double precision, b double precision)
returns interval
language sql immutable parallel safe
return interval '1 second' * case
    when which < 0.48 then 28800 + 8100 * (a + b)
    else 46800 + 17100 * (a + b)
end;

-- The price of a plan a month, in a currency's usual round figures.
create or replace function pg_temp.price(plan text, currency text) returns numeric
language sql immutable parallel safe
return case currency
    when 'JPY' then case plan when 'basic' then 4800 when 'plus' then 12800 else 34800 end
    when 'INR' then case plan when 'basic' then 2400 when 'plus' then 6900 else 19900 end
    when 'BRL' then case plan when 'basic' then 149 when 'plus' then 399 else 1199 end
    else case plan when 'basic' then 29 when 'plus' then 79 else 249 end
end;

-- The moment at which user `u` signs up.
create or replace function pg_temp.user_since(
    seed bigint, u bigint, users bigint, first_day date, days integer, zone text
) returns timestamptz
language sql stable parallel safe
return (
    first_day + pg_temp.arrival_day(u, users, days)
    + pg_temp.time_of_day(pg_temp.unit(seed, 3, u), pg_temp.unit(seed, 4, u), pg_temp.unit(seed, 5, u))
) at time zone zone;

-- The moment at which customer `c` comes in: with the first of its users.
create or replace function pg_temp.customer_since(
    seed bigint, c bigint, customers bigint, users bigint, first_day date, days integer, zone text
) returns timestamptz
language sql stable parallel safe
return pg_temp.user_since(
    seed, 1 + ((c - 1) * users + customers - 1) / customers, users, first_day, days, zone
);

-- When a subscription ends of itself: whole months or years after its first paid day, most lives short.
create or replace function pg_temp.service_end(
    seed bigint, subscription bigint, paid_from timestamptz, billing_interval text
) returns timestamptz
language sql stable parallel safe
return paid_from + case billing_interval
    when 'year' then interval '1 year' * (1 + floor(-1.6 * ln(1 - pg_temp.unit(seed, 320, subscription))))
    else interval '1 month' * (1 + floor(-14 * ln(1 - pg_temp.unit(seed, 320, subscription))))
end;

-- The terms a subscription starts with. Nearly half begin with a trial of 14 days, three in ten of which lapse.
create or replace function pg_temp.drawn_terms(seed bigint, subscription bigint, started_at timestamptz)
returns table (
    plan text,
    billing_interval text,
    months_charged integer,
    quantity bigint,
    trial_start timestamptz,
    trial_end timestamptz,
    trial_lapses boolean,
    paid_from timestamptz
)
language sql stable parallel safe
begin atomic
    select
        case
            when pg_temp.unit(seed, 311, subscription) < 0.5 then 'basic'
            when pg_temp.unit(seed, 311, subscription) < 0.86 then 'plus'
            else 'premium'
        end,
        case when pg_temp.unit(seed, 312, subscription) < 0.77 then 'month' else 'year' end,
        case when pg_temp.unit(seed, 312, subscription) < 0.77 then 1 else 10 end,
        pg_temp.pick(power(pg_temp.unit(seed, 313, subscription), 3), 6),
        case when pg_temp.unit(seed, 314, subscription) < 0.45 then started_at end,
        case when pg_temp.unit(seed, 314, subscription) < 0.45 then started_at + interval '14 days' end,
        pg_temp.unit(seed, 314, subscription) < 0.45 and pg_temp.unit(seed, 315, subscription) < 0.3,
        started_at + case
            when pg_temp.unit(seed, 314, subscription) < 0.45 then interval '14 days' else interval '0' end;
end;
