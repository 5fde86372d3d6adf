-- Anonymous Bank, the calls of February 1999, one row a call but for the PHANTOM ones, which are none:
-- metricpress load calls data_anonymous_bank_february.txt --tenant anonymous_bank --select ...
-- call_id alone is not unique. A caller is no lead: when he became one the publisher does not tell; customer_id is
-- kept in extra. A negative vru_time is the publisher's; it is kept in extra, for no figure needs it.
select
    concat_ws('|', c.date, c."vru+line", c.call_id) as call_id,
    nullif(c.server, 'NO_SERVER') as staff_id,
    case c.type when 'TT' then 'outbound' else 'inbound' end as direction,
    case c.outcome when 'AGENT' then 'completed' when 'HANG' then 'missed' else c.outcome end as status,
    c.type as outcome,
    case c.outcome when 'AGENT' then c.ser_time end as duration_seconds,
    '19' || c.date || ' ' || c.vru_entry as started_at,
    c.customer_id,
    c.priority,
    c.vru_time as vru_seconds,
    c.q_time as queue_seconds,
    c._file,
    c._line
from data_anonymous_bank_february as c
where c.outcome <> 'PHANTOM'
order by c._line
