select tenant_id, (started_at at time zone 'UTC')::date as metric_date, count(*) as sessions
from {{ ref('stg_sessions') }}
group by 1, 2
