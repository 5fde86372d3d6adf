select
    invoices.tenant_id,
    invoices.invoice_id,
    invoices.customer_id,
    invoices.subscription_id,
    invoices.status,
    invoices.amount_due,
    invoices.amount_paid,
    coalesce(invoices.tax, 0) as tax,
    upper(trim(invoices.currency)) as currency,
    invoices.attempt_count,
    invoices.issued_at,
    invoices.due_at,
    invoices.paid_at,
    invoices.next_attempt_at
from {{ source('raw', 'invoices') }} as invoices
where invoices.deleted_at is null
