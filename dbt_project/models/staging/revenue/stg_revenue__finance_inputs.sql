select
    inputs.tenant_id,
    inputs.cash_balance,
    inputs.monthly_burn,
    upper(trim(inputs.currency)) as currency,
    inputs.month as told_for
from {{ source('raw', 'finance_inputs') }} as inputs
where inputs.deleted_at is null
