{#- The account that signs up and pays: the customer with all its users, or a user without a customer. -#}
{% macro account_of(customer_id, user_id=none) -%}
coalesce('customer:' || {{ customer_id }}{% if user_id %}, 'user:' || {{ user_id }}{% endif %})
{%- endmacro %}

{#- Accounts with another user, first step or customer than in the last build: (tenant_id, account_id, customer_id). -#}
{% macro changed_accounts() -%}
(
    select
        tenant_id,
        entity_id as account_id,
        case when entity_id like 'customer:%' then substr(entity_id, 10) end as customer_id
    from {{ changed_entities(['int_users__activation']) }} as changed
    union
    select
        tenant_id,
        {{ account_of('entity_id') }} as account_id,
        entity_id as customer_id
    from {{ dirty_entities('customer') }} as dirty
)
{%- endmacro %}

{% macro changed_accounts_scope(t) -%}
exists (
    select from {{ changed_accounts() }} as d
    where d.tenant_id = {{ t }}.tenant_id and d.account_id = {{ t }}.account_id
)
{%- endmacro %}

{#- Months of signing up with a changed account, and those that ended or began since the last build: (tenant_id, cohort_month). -#}
{% macro customer_funnel_months() -%}
(
    select distinct
        tenant_id,
        {{ month_of('metric_date') }} as cohort_month
    from {{ changed_days(['int_users__accounts']) }} as changed
)
{%- endmacro %}

{% macro customer_funnel_scope(t) -%}
exists (
    select from {{ customer_funnel_months() }} as d
    where d.tenant_id = {{ t }}.tenant_id and d.cohort_month = {{ t }}.cohort_month
)
{%- endmacro %}
