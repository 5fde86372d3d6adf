select
    payments.tenant_id,
    payments.payment_id,
    payments.invoice_id,
    payments.customer_id,
    payments.status,
    payments.amount,
    upper(trim(payments.currency)) as currency,
    payments.failure_code,
    coalesce(payments.refunded_amount, 0) as refunded_amount,
    payments.attempted_at
from {{ source('raw', 'payments') }} as payments
where payments.deleted_at is null
