-- bank_campaign, bank_campaign_days -> lead_status_changes: contacted when the recorded call begins, converted
-- or lost when it ends. A call of 0 seconds (4 rows) reached nobody and changes nothing.
with campaign as (
    select
        'lead-' || lpad(c."row", 5, '0') as lead_id,
        c.duration::integer as duration_seconds,
        c.y,
        d.call_date::timestamp + interval '9 hours'
        + interval '11 hours' * (c."row"::integer - d.first_row::integer)
        / (d.last_row::integer - d.first_row::integer + 1) as called_at
    from bank_campaign as c
    inner join bank_campaign_days as d
        on c."row"::integer between d.first_row::integer and d.last_row::integer
    where c.duration::integer > 0
)

select
    lead_id || '-contacted' as change_id,
    lead_id,
    'contacted' as status,
    to_char(called_at, 'YYYY-MM-DD HH24:MI:SS') as changed_at
from campaign
union all
select
    lead_id || '-closed' as change_id,
    lead_id,
    case y when 'yes' then 'converted' else 'lost' end as status,
    to_char(called_at + interval '1 second' * duration_seconds, 'YYYY-MM-DD HH24:MI:SS') as changed_at
from campaign
