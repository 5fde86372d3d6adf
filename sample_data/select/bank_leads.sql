-- bank_campaign, bank_campaign_days -> leads: one person a row, worked on the day of the recorded call.
-- Real: row, contact, campaign, outcome of earlier campaigns, y. Derived: the date (bank_campaign_days), the
-- creation at 08:30 when the day's calling list is handed out, the moment of the call (see bank_calls.sql).
-- Generated: staff and branch (12 agents in 4 branches, by a hash of the row number).
with campaign as (
    select
        c."row"::integer as row_number,
        d.call_date,
        c.job,
        c.contact,
        c.campaign,
        c.duration::integer as duration_seconds,
        c.y,
        c.poutcome,
        d.call_date::timestamp + interval '9 hours'
        + interval '11 hours' * (c."row"::integer - d.first_row::integer)
        / (d.last_row::integer - d.first_row::integer + 1) as called_at,
        1 + ('x' || substr(md5('agent:' || c."row"), 1, 6))::bit(24)::integer % 12 as agent
    from bank_campaign as c
    inner join bank_campaign_days as d
        on c."row"::integer between d.first_row::integer and d.last_row::integer
)

select
    'lead-' || lpad(row_number::text, 5, '0') as lead_id,
    case agent % 4
        when 0 then 'lisboa'
        when 1 then 'porto'
        when 2 then 'coimbra'
        else 'ponta-delgada'
    end as branch_id,
    'agent-' || lpad(agent::text, 2, '0') as staff_id,
    case poutcome
        when 'success' then 'earlier campaign, subscribed'
        when 'failure' then 'earlier campaign, declined'
        else 'never contacted before'
    end as source,
    case when y = 'yes' then 'converted' when duration_seconds > 0 then 'lost' else 'new' end as status,
    to_char(call_date::timestamp + interval '8 hours 30 minutes', 'YYYY-MM-DD HH24:MI:SS') as created_at,
    to_char(called_at + interval '1 second' * duration_seconds, 'YYYY-MM-DD HH24:MI:SS') as updated_at,
    case
        when y = 'yes' then to_char(called_at + interval '1 second' * duration_seconds, 'YYYY-MM-DD HH24:MI:SS')
    end as converted_at,
    contact as contact_type,
    campaign as contacts_in_campaign,
    job,
    'creation time, date' as derived,
    'branch_id, staff_id' as generated_columns
from campaign
