-- bank_campaign, bank_campaign_days -> calls: the last call of the campaign to each person, the only one the
-- publisher gives a duration for. The date is derived (bank_campaign_days); the calls of a day are spread
-- evenly from 09:00 to 20:00 in the order of the file. Staff and branch are generated as in bank_leads.sql.
with campaign as (
    select
        c."row" as row_text,
        c.contact,
        c.duration::integer as duration_seconds,
        c.y,
        d.call_date::timestamp + interval '9 hours'
        + interval '11 hours' * (c."row"::integer - d.first_row::integer)
        / (d.last_row::integer - d.first_row::integer + 1) as called_at,
        1 + ('x' || substr(md5('agent:' || c."row"), 1, 6))::bit(24)::integer % 12 as agent
    from bank_campaign as c
    inner join bank_campaign_days as d
        on c."row"::integer between d.first_row::integer and d.last_row::integer
)

select
    'call-' || lpad(row_text, 5, '0') as call_id,
    'lead-' || lpad(row_text, 5, '0') as lead_id,
    case agent % 4
        when 0 then 'lisboa'
        when 1 then 'porto'
        when 2 then 'coimbra'
        else 'ponta-delgada'
    end as branch_id,
    'agent-' || lpad(agent::text, 2, '0') as staff_id,
    'outbound' as direction,
    case when duration_seconds > 0 then 'completed' else 'missed' end as status,
    case
        when y = 'yes' then 'interested'
        when duration_seconds > 0 then 'not_interested'
    end as outcome,
    duration_seconds,
    to_char(called_at, 'YYYY-MM-DD HH24:MI:SS') as started_at,
    contact as contact_type,
    'date and time of day' as derived,
    'branch_id, staff_id' as generated_columns
from campaign
