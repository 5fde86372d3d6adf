-- Recipients are told apart and not named: addresses of people stay in schema reporting.
select
    deliveries.tenant_id,
    deliveries.delivery_id,
    deliveries.occurrence_id,
    deliveries.channel,
    md5(deliveries.channel || ' ' || lower(deliveries.recipient)) as recipient_key,
    deliveries.kind,
    -- What is tried again by itself has not failed yet.
    case
        when deliveries.delivery_status in ('pending', 'rendering', 'ready', 'sending') then 'waiting'
        when deliveries.delivery_status = 'failed' and deliveries.next_attempt_at is not null then 'waiting'
        else deliveries.delivery_status
    end as status,
    deliveries.attempts,
    deliveries.render_seconds,
    deliveries.send_seconds,
    deliveries.delivered_at,
    (
        select coalesce(sum((file.entry ->> 'bytes')::bigint), 0)::bigint
        from jsonb_array_elements(deliveries.files) as file (entry)
    ) as bytes,
    deliveries.updated_at
from {{ source('reporting', 'report_deliveries') }} as deliveries
inner join {{ ref('stg_platform__tenants') }} as tenants on deliveries.tenant_id = tenants.tenant_id
