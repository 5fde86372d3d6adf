{#-
    The metrics: one entry each. From here come metric_catalogue, metric_timeseries, executive_summary and
    docs/metrics.md, which tells how to add one. A wrong entry stops dbt with its name (metric_checks.sql).

    metric, title, description, formula  texts; the metric's name is its key everywhere
    edge_cases                           what the formula does not say, where there is something
    domain, owner                        section of reports; role that answers for it
    unit, format, direction              see metric_vocabulary in metric_checks.sql
    aggregation                          how days become weeks and months: sum, last (day of the period), recount
                                         (columns that count the period anew), ratio (of summed parts); or derived:
                                         computed from other metrics of the list, after they are aggregated
    model                                what it is read from, one of metric_marts.sql; default daily_metrics
    value                                expression over its columns (sum, last, recount) or over metrics (derived)
    numerator, denominator               the two expressions of a ratio; a derived metric may have them, too
    week, month_to_date                  recount: columns that count the week or month so far
    null_until_complete                  true: no value while the period is unfinished (churn, retention, growth)
    grains                               where it exists, when not for day, week and month
    month                                {value} or {numerator, denominator} over revenue_metrics, which then tells
                                         the month
    dimensions                           drill-down: branch, plan, source, staff, user_type, each with a model that
                                         tells it and the expressions there. A derived metric has the dimensions that
                                         all its metrics have.
-#}
{% macro metric_definitions_yaml() -%}
- metric: mrr
  title: Monthly recurring revenue
  domain: revenue
  description: "Recurring revenue of a month, at the end of the period, in the tenant's currency."
  formula: sum over subscriptions of quantity x unit amount x factor of the interval, less the forever discount
  edge_cases: "Trialing, paused, unpaid and ended subscriptions count 0; past_due counts (setting past_due_days); tax, one-time and metered lines never count. NULL where an exchange rate is missing."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  value: mrr
  dimensions:
    plan: {model: revenue_by_plan, value: mrr}
- metric: arr
  title: Annual recurring revenue
  domain: revenue
  description: Twelve times MRR.
  formula: "12 x mrr"
  edge_cases: "NULL where MRR is NULL."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  value: arr
  dimensions:
    plan: {model: revenue_by_plan, value: 12 * mrr}
- metric: trial_mrr
  title: MRR in trial
  domain: revenue
  description: MRR that subscriptions in trial would have.
  formula: trial_mrr on the last day
  edge_cases: "A free month on a subscription that already paid is no trial: it keeps its MRR."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  value: trial_mrr
- metric: committed_mrr
  title: Committed MRR
  domain: revenue
  description: MRR without the subscriptions whose end is already known.
  formula: committed_mrr on the last day
  edge_cases: "A subscription leaves it on the day its end is known, else from its start when the end always was."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  value: committed_mrr
- metric: new_mrr
  title: New MRR
  domain: revenue
  description: MRR of customers who never paid before.
  formula: sum of movements of the kind new
  unit: currency
  format: money
  aggregation: sum
  direction: up
  owner: finance
  model: revenue_metrics
  value: new_mrr
  dimensions:
    plan: {model: revenue_by_plan, value: new_mrr}
- metric: expansion_mrr
  title: Expansion MRR
  domain: revenue
  description: More MRR of customers who paid before.
  formula: sum of movements of the kind expansion
  edge_cases: "A difference of exchange rates is no expansion; it stands apart as fx_impact."
  unit: currency
  format: money
  aggregation: sum
  direction: up
  owner: finance
  model: revenue_metrics
  value: expansion_mrr
  dimensions:
    plan: {model: revenue_by_plan, value: expansion_mrr}
- metric: contraction_mrr
  title: Contraction MRR
  domain: revenue
  description: Less MRR of customers who go on paying.
  formula: sum of movements of the kind contraction
  edge_cases: "The loss of one of several subscriptions is contraction, not churn."
  unit: currency
  format: money
  aggregation: sum
  direction: down
  owner: finance
  model: revenue_metrics
  value: contraction_mrr
  dimensions:
    plan: {model: revenue_by_plan, value: contraction_mrr}
- metric: churned_mrr
  title: Churned MRR
  domain: revenue
  description: MRR of customers who left.
  formula: sum of movements of the kind churn
  edge_cases: "At the end of service, not when the wish is told (setting churn_on). A pause is no churn."
  unit: currency
  format: money
  aggregation: sum
  direction: down
  owner: finance
  model: revenue_metrics
  value: churned_mrr
  dimensions:
    plan: {model: revenue_by_plan, value: churned_mrr}
- metric: reactivation_mrr
  title: Reactivation MRR
  domain: revenue
  description: MRR of customers who came back.
  formula: sum of movements of the kind reactivation
  unit: currency
  format: money
  aggregation: sum
  direction: up
  owner: finance
  model: revenue_metrics
  value: reactivation_mrr
  dimensions:
    plan: {model: revenue_by_plan, value: reactivation_mrr}
- metric: mrr_growth_rate
  title: MRR growth
  domain: revenue
  description: Change of MRR over the month.
  formula: (ending_mrr - starting_mrr) / starting_mrr
  edge_cases: "NULL in the unfinished month and without MRR at the start."
  unit: rate
  format: percent
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: mrr_growth_rate
- metric: nrr
  title: Net revenue retention
  domain: revenue
  description: "What customers of the month's start pay at its end."
  formula: sum of end MRR of customers who paid at the start / starting_mrr
  edge_cases: "New and returning customers are left out. NULL in the unfinished month."
  unit: rate
  format: percent
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: nrr
- metric: grr
  title: Gross revenue retention
  domain: revenue
  description: The same without any growth.
  formula: sum over customers of least(end, start) / starting_mrr
  edge_cases: "Computed customer by customer: growth of one never hides the loss of another. NULL in the unfinished month."
  unit: rate
  format: percent
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: grr
- metric: gross_mrr_churn_rate
  title: Gross MRR churn
  domain: revenue
  description: MRR lost to churn and contraction.
  formula: (churned_mrr + contraction_mrr) / starting_mrr
  edge_cases: "NULL in the unfinished month and without MRR at the start."
  unit: rate
  format: percent
  aggregation: last
  direction: down
  owner: finance
  model: revenue_metrics
  value: gross_mrr_churn_rate
- metric: net_mrr_churn_rate
  title: Net MRR churn
  domain: revenue
  description: MRR lost, less what was won from existing and returning customers.
  formula: (churned_mrr + contraction_mrr - expansion_mrr - reactivation_mrr) / starting_mrr
  edge_cases: "Below 0 when more was won than lost. NULL in the unfinished month."
  unit: rate
  format: percent
  aggregation: last
  direction: down
  owner: finance
  model: revenue_metrics
  value: net_mrr_churn_rate
- metric: revenue_churn_rate
  title: Revenue churn
  domain: revenue
  description: MRR of customers who left.
  formula: churned_mrr / starting_mrr
  edge_cases: "NULL in the unfinished month and without MRR at the start."
  unit: rate
  format: percent
  aggregation: last
  direction: down
  owner: finance
  model: revenue_metrics
  value: revenue_churn_rate
- metric: arpa
  title: Revenue per account
  domain: revenue
  description: Average MRR of a paying customer.
  formula: mrr / paying_customers
  edge_cases: "NULL without paying customers."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: arpa
- metric: ltv
  title: Customer lifetime value
  domain: revenue
  description: What a customer brings over the time of being one.
  formula: arpa x gross margin / customer_churn_rate
  edge_cases: "NULL when no customer left: without churn there is no finite lifetime."
  unit: currency
  format: money
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: ltv
- metric: cac
  title: Customer acquisition cost
  domain: revenue
  description: Marketing spend for a new paying customer.
  formula: marketing_spend / new paying customers
  edge_cases: "NULL without new paying customers; months without spend give 0."
  unit: currency
  format: money
  aggregation: last
  direction: down
  owner: finance
  model: revenue_metrics
  value: cac
- metric: ltv_to_cac
  title: LTV to CAC
  domain: revenue
  description: Lifetime value for one unit of acquisition cost.
  formula: ltv / cac
  edge_cases: "NULL where LTV or CAC is NULL or CAC is 0."
  unit: ratio
  format: decimal
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: ltv_to_cac
- metric: payback_months
  title: Payback
  domain: revenue
  description: Months until a new customer has paid back the acquisition cost.
  formula: cac / (arpa x gross margin)
  edge_cases: "NULL without new customers or revenue per account."
  unit: months
  format: months
  aggregation: last
  direction: down
  owner: finance
  model: revenue_metrics
  value: payback_months
- metric: quick_ratio
  title: Quick ratio
  domain: revenue
  description: MRR won for one unit of MRR lost.
  formula: (new + reactivation + expansion + resumed) / (contraction + churn + paused)
  edge_cases: "NULL when nothing was lost. quick_ratio_strict in revenue_metrics is (new + expansion) / (contraction + churn)."
  unit: ratio
  format: decimal
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: quick_ratio
- metric: runway_months
  title: Runway
  domain: revenue
  description: Months the cash lasts at the present burn.
  formula: cash_balance / monthly_burn
  edge_cases: "NULL unless the monthly burn is above 0."
  unit: months
  format: months
  aggregation: last
  direction: up
  owner: finance
  model: revenue_metrics
  value: runway_months
- metric: active_subscriptions
  title: Active subscriptions
  domain: revenue
  description: Subscriptions active at the end of the period, free ones included.
  formula: active_subscriptions on the last day
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: finance
  value: active_subscriptions
  dimensions:
    plan: {model: revenue_by_plan, value: active_subscriptions}
- metric: past_due_subscriptions
  title: Past due subscriptions
  domain: revenue
  description: Subscriptions past due at the end of the period.
  formula: past_due_subscriptions on the last day
  unit: count
  format: integer
  aggregation: last
  direction: down
  owner: finance
  value: past_due_subscriptions
- metric: canceled_subscriptions
  title: Ended subscriptions
  domain: revenue
  description: Subscriptions that ended in the period.
  formula: sum of canceled_subscriptions
  edge_cases: "Counted on the day of the end of service."
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: finance
  value: canceled_subscriptions
- metric: failed_payments
  title: Failed payments
  domain: revenue
  description: Payment attempts that failed.
  formula: sum of failed_payments
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: finance
  value: failed_payments
- metric: recovered_payments
  title: Recovered payments
  domain: revenue
  description: Payments that succeeded after a failed attempt for the same invoice.
  formula: sum of recovered_payments
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: finance
  value: recovered_payments
- metric: outstanding_invoices
  title: Invoices outstanding
  domain: revenue
  description: Invoices issued and not paid, at the end of the period.
  formula: outstanding_invoices on the last day
  unit: count
  format: integer
  aggregation: last
  direction: down
  owner: finance
  value: outstanding_invoices
- metric: outstanding_invoice_amount
  title: Outstanding amount
  domain: revenue
  description: Amount of invoices issued and not paid, at the end of the period.
  formula: outstanding_invoice_amount on the last day
  edge_cases: "Void and uncollectible invoices never count. NULL where an exchange rate is missing."
  unit: currency
  format: money
  aggregation: last
  direction: down
  owner: finance
  value: outstanding_invoice_amount
- metric: marketing_spend
  title: Marketing spend
  domain: revenue
  description: Spend on marketing.
  formula: sum of marketing_spend
  unit: currency
  format: money
  aggregation: sum
  direction: neutral
  owner: marketing
  value: marketing_spend
- metric: total_customers
  title: Paying customers
  domain: customers
  description: Customers with an MRR above 0 at the end of the period.
  formula: total_customers on the last day
  edge_cases: "A price of 0 or a discount of 100 % is an active subscription but no paying customer."
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: finance
  value: total_customers
  dimensions:
    plan: {model: revenue_by_plan, value: paying_customers}
- metric: new_customers
  title: New customers
  domain: customers
  description: Customers who paid for the first time.
  formula: sum of new_customers
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: new_customers
- metric: churned_customers
  title: Churned customers
  domain: customers
  description: Customers whose MRR fell to 0.
  formula: sum of churned_customers
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: customer success
  value: churned_customers
- metric: reactivated_customers
  title: Returned customers
  domain: customers
  description: Customers who had left and pay again.
  formula: sum of reactivated_customers
  edge_cases: "Paid before and was at 0; tested before expansion."
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: customer success
  value: reactivated_customers
- metric: net_new_customers
  title: Net new customers
  domain: customers
  description: Customers won and won back, less those lost.
  formula: new_customers + reactivated_customers - churned_customers
  unit: count
  format: integer
  aggregation: derived
  direction: up
  owner: sales
  value: new_customers + reactivated_customers - churned_customers
- metric: customer_churn_rate
  title: Customer churn
  domain: customers
  description: Customers lost of those who paid at the start of the period.
  formula: churned_customers / starting_customers
  edge_cases: "Only customers who paid at the start count as lost; one who came and left within the month does not. NULL in the unfinished period."
  unit: rate
  format: percent
  aggregation: ratio
  direction: down
  owner: customer success
  null_until_complete: true
  numerator: churned_customers
  denominator: starting_customers
  grains: [day, month]
  month: {value: customer_churn_rate}
- metric: dau
  title: Active users
  domain: engagement
  description: Users, each counted once in the period, with a session.
  formula: distinct users with a session that starts in the period
  edge_cases: "A session counts on the local day on which it starts."
  unit: count
  format: integer
  aggregation: recount
  direction: up
  owner: product
  value: dau
  week: wau_week_to_date
  month_to_date: mau_month_to_date
  dimensions:
    user_type: {model: engagement_by_user_type, value: dau, week: wau_week_to_date, month_to_date: mau_month_to_date}
- metric: wau
  title: Weekly active users
  domain: engagement
  description: Users active in the 7 days that end with the period.
  formula: distinct users with a session in the trailing 7 days
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: product
  value: wau
  dimensions:
    user_type: {model: engagement_by_user_type, value: wau}
- metric: mau
  title: Monthly active users
  domain: engagement
  description: "Users active in the trailing 30 days (the tenant's mau_window_days) that end with the period."
  formula: distinct users with a session in the trailing 30 days
  edge_cases: "Exact for every day, also days without sessions."
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: product
  value: mau
  dimensions:
    user_type: {model: engagement_by_user_type, value: mau}
- metric: stickiness
  title: Stickiness
  domain: engagement
  description: "How many of the month's users come on a day."
  formula: dau / mau
  edge_cases: "Over weeks and months the ratio of the summed days, never an average of daily ratios."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: product
  numerator: dau
  denominator: mau
  dimensions:
    user_type: {model: engagement_by_user_type, numerator: dau, denominator: mau}
- metric: total_sessions
  title: Sessions
  domain: engagement
  description: Sessions that started in the period.
  formula: sum of total_sessions
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: product
  value: total_sessions
  dimensions:
    user_type: {model: engagement_by_user_type, value: sessions}
- metric: avg_session_seconds
  title: Session length
  domain: engagement
  description: Average length of the sessions that tell one.
  formula: session_seconds / timed_sessions
  edge_cases: "Sessions without a duration or with a negative one are counted but not timed."
  unit: seconds
  format: duration
  aggregation: ratio
  direction: neutral
  owner: product
  numerator: session_seconds
  denominator: timed_sessions
  dimensions:
    user_type: {model: engagement_by_user_type, numerator: session_seconds, denominator: timed_sessions}
- metric: active_suppliers
  title: Active suppliers
  domain: engagement
  description: Users of the type supplier with a session that day.
  formula: distinct users
  unit: count
  format: integer
  aggregation: recount
  direction: up
  owner: product
  value: active_suppliers
  grains: [day]
- metric: active_couples
  title: Active couples
  domain: engagement
  description: Users of the type couple with a session that day.
  formula: distinct users
  unit: count
  format: integer
  aggregation: recount
  direction: up
  owner: product
  value: active_couples
  grains: [day]
- metric: total_suppliers
  title: Suppliers
  domain: engagement
  description: Users of the type supplier signed up so far.
  formula: total_suppliers on the last day
  edge_cases: "Users without a moment of signing up are not counted."
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: product
  value: total_suppliers
- metric: total_couples
  title: Couples
  domain: engagement
  description: Users of the type couple signed up so far.
  formula: total_couples on the last day
  edge_cases: "Users without a moment of signing up are not counted."
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: product
  value: total_couples
- metric: signups
  title: Sign-ups
  domain: activation
  description: Users who signed up.
  formula: sum of signups
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: product
  value: signups
  dimensions:
    user_type: {model: int_users__daily, value: signups}
- metric: activated_users
  title: Activated users
  domain: activation
  description: Users whose first activation event falls in the period.
  formula: sum of activated_users
  edge_cases: "The first of the tenant's activation_events; also for users who are not in raw.users."
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: product
  value: activated_users
  dimensions:
    user_type: {model: int_users__daily, value: activated_users}
- metric: activation_rate
  title: Activation
  domain: activation
  description: Of the users who signed up in the period, those activated so far.
  formula: activated_of_signups / signups
  edge_cases: "Grows after the day, as users of that day are activated later."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: product
  numerator: activated_of_signups
  denominator: signups
  dimensions:
    user_type: {model: int_users__daily, numerator: activated_of_signups, denominator: signups}
- metric: file_upload_rate
  title: File upload
  domain: activation
  description: Of the users who signed up in the period, those who have uploaded a file.
  formula: file_upload_of_signups / signups
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: product
  numerator: file_upload_of_signups
  denominator: signups
  dimensions:
    user_type: {model: int_users__daily, numerator: file_upload_of_signups, denominator: signups}
- metric: worklog_creation_rate
  title: Worklog creation
  domain: activation
  description: Of the users who signed up in the period, those who have made a worklog.
  formula: worklog_creation_of_signups / signups
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: product
  numerator: worklog_creation_of_signups
  denominator: signups
  dimensions:
    user_type: {model: int_users__daily, numerator: worklog_creation_of_signups, denominator: signups}
- metric: report_generation_rate
  title: Report generation
  domain: activation
  description: Of the users who signed up in the period, those who have made a report.
  formula: report_generation_of_signups / signups
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: product
  numerator: report_generation_of_signups
  denominator: signups
  dimensions:
    user_type: {model: int_users__daily, numerator: report_generation_of_signups, denominator: signups}
- metric: new_leads
  title: New leads
  domain: leads
  description: Leads created in the period.
  formula: sum of new_leads
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: new_leads
  dimensions:
    branch: {model: lead_performance_daily, value: new_leads}
    source: {model: int_leads__source_days, value: new_leads}
    staff: {model: staff_performance_daily, value: leads_assigned}
- metric: leads_contacted
  title: Leads contacted
  domain: leads
  description: Leads that reached the status contacted.
  formula: sum of leads_contacted
  edge_cases: "The first time a lead reached the status: from lead_status_changes where present, else from the lead's own moments."
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: leads_contacted
  dimensions:
    branch: {model: lead_performance_daily, value: contacted_on_day}
    source: {model: int_leads__source_days, value: leads_contacted}
- metric: leads_qualified
  title: Leads qualified
  domain: leads
  description: Leads that reached the status qualified.
  formula: sum of leads_qualified
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: leads_qualified
  dimensions:
    branch: {model: lead_performance_daily, value: qualified_on_day}
    source: {model: int_leads__source_days, value: leads_qualified}
- metric: leads_converted
  title: Leads converted
  domain: leads
  description: Leads that reached the status converted, whenever they were created.
  formula: sum of leads_converted
  edge_cases: "By the day of the conversion; lead_conversion_rate goes by the day of creation."
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: leads_converted
  dimensions:
    branch: {model: lead_performance_daily, value: converted_on_day}
    source: {model: int_leads__source_days, value: leads_converted}
    staff: {model: staff_performance_daily, value: converted_on_day}
- metric: leads_lost
  title: Leads lost
  domain: leads
  description: Leads that reached the status lost.
  formula: sum of leads_lost
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: sales
  value: leads_lost
  dimensions:
    branch: {model: lead_performance_daily, value: lost_on_day}
    source: {model: int_leads__source_days, value: leads_lost}
    staff: {model: staff_performance_daily, value: lost_on_day}
- metric: lead_conversion_rate
  title: Lead conversion
  domain: leads
  description: Of the leads created in the period, those converted so far.
  formula: converted_of_new_leads / new_leads
  edge_cases: "Grows after the period, as its leads convert later. A lead converted before it was created counts and is flagged."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: sales
  numerator: converted_of_new_leads
  denominator: new_leads
  dimensions:
    branch: {model: lead_performance_daily, numerator: converted_leads, denominator: new_leads}
    source: {model: int_leads__source_days, numerator: converted_of_new_leads, denominator: new_leads}
    staff: {model: staff_performance_daily, numerator: leads_converted, denominator: leads_assigned}
- metric: total_calls
  title: Calls
  domain: calls
  description: Calls that started in the period.
  formula: sum of total_calls
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: total_calls
  dimensions:
    branch: {model: call_performance_hourly, value: total_calls}
    staff: {model: staff_performance_daily, value: calls}
- metric: calls_completed
  title: Completed calls
  domain: calls
  description: Calls that were completed.
  formula: sum of calls_completed
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  value: calls_completed
  dimensions:
    branch: {model: call_performance_hourly, value: calls_completed}
    staff: {model: staff_performance_daily, value: completed}
- metric: calls_missed
  title: Missed calls
  domain: calls
  description: Calls nobody answered.
  formula: sum of calls_missed
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: sales
  value: calls_missed
  dimensions:
    branch: {model: call_performance_hourly, value: calls_missed}
    staff: {model: staff_performance_daily, value: missed}
- metric: calls_failed
  title: Failed calls
  domain: calls
  description: Calls that did not come about.
  formula: sum of calls_failed
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: sales
  value: calls_failed
  dimensions:
    branch: {model: call_performance_hourly, value: calls_failed}
    staff: {model: staff_performance_daily, value: failed}
- metric: call_success_rate
  title: Call success
  domain: calls
  description: Completed calls of all calls.
  formula: calls_completed / total_calls
  edge_cases: "Missed and failed calls count against it."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: sales
  numerator: calls_completed
  denominator: total_calls
  dimensions:
    branch: {model: call_performance_hourly, numerator: calls_completed, denominator: total_calls}
    staff: {model: staff_performance_daily, numerator: completed, denominator: calls}
- metric: call_interest_rate
  title: Call interest
  domain: calls
  description: Completed calls with the outcome interested.
  formula: calls_interested / calls_completed
  edge_cases: "Of completed calls only."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: sales
  numerator: calls_interested
  denominator: calls_completed
  dimensions:
    branch: {model: call_performance_hourly, numerator: interested, denominator: calls_completed}
    staff: {model: staff_performance_daily, numerator: interested, denominator: completed}
- metric: avg_call_seconds
  title: Call length
  domain: calls
  description: Average length of the completed calls that tell one.
  formula: call_seconds / timed_calls
  edge_cases: "Negative durations are left out and flagged."
  unit: seconds
  format: duration
  aggregation: ratio
  direction: neutral
  owner: sales
  numerator: call_seconds
  denominator: timed_calls
  dimensions:
    branch: {model: call_performance_hourly, numerator: call_seconds, denominator: timed_calls}
    staff: {model: staff_performance_daily, numerator: talk_seconds, denominator: timed_calls}
- metric: calls_per_lead
  title: Calls for a lead
  domain: calls
  description: Calls of the period for each lead created in it.
  formula: total_calls / new_leads
  edge_cases: "Calls for older leads count, too; lead_performance_daily has the calls of a day's own leads."
  unit: ratio
  format: decimal
  aggregation: derived
  direction: neutral
  owner: sales
  numerator: total_calls
  denominator: new_leads
- metric: clients_coordinated
  title: Clients coordinated
  domain: collaboration
  description: Clients, each counted once in the period, with a collaboration created.
  formula: distinct clients with a collaboration created in the period
  edge_cases: "By the day the collaboration was created."
  unit: count
  format: integer
  aggregation: recount
  direction: up
  owner: partnerships
  value: clients_coordinated
  week: clients_coordinated_week_to_date
  month_to_date: clients_coordinated_month_to_date
- metric: vendors_collaborating
  title: Vendors collaborating
  domain: collaboration
  description: Vendors with a collaboration created that day.
  formula: distinct vendors
  unit: count
  format: integer
  aggregation: recount
  direction: up
  owner: partnerships
  value: vendors_collaborating
  grains: [day]
- metric: active_vendor_pairs
  title: Active vendor pairs
  domain: collaboration
  description: Pairs of vendors on a client, from the creation to 29 days after the last activity.
  formula: active_vendor_pairs on the last day
  edge_cases: "An unordered pair: (a, b) and (b, a) are one."
  unit: count
  format: integer
  aggregation: last
  direction: up
  owner: partnerships
  value: active_vendor_pairs
- metric: avg_coordination_hours
  title: Coordination time
  domain: collaboration
  description: Average time from a client's first collaboration of the day to the last activity.
  formula: coordination_hours / timed_clients
  edge_cases: Per client, not per pair. Clients whose last activity is not known are left out.
  unit: hours
  format: decimal
  aggregation: ratio
  direction: down
  owner: partnerships
  numerator: coordination_hours
  denominator: timed_clients
- metric: vendor_satisfaction
  title: Vendor satisfaction
  domain: collaboration
  description: Average score of vendors, 0 to 10.
  formula: satisfaction_sum / satisfaction_scores
  edge_cases: "NULL without a score."
  unit: score
  format: decimal
  aggregation: ratio
  direction: up
  owner: partnerships
  numerator: satisfaction_sum
  denominator: satisfaction_scores
- metric: total_jobs
  title: Jobs
  domain: jobs
  description: Jobs that started in the period.
  formula: sum of total_jobs
  unit: count
  format: integer
  aggregation: sum
  direction: neutral
  owner: engineering
  value: total_jobs
- metric: jobs_succeeded
  title: Succeeded jobs
  domain: jobs
  description: Jobs that succeeded.
  formula: sum of jobs_succeeded
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: engineering
  value: jobs_succeeded
- metric: jobs_failed
  title: Failed jobs
  domain: jobs
  description: Jobs that failed.
  formula: sum of jobs_failed
  unit: count
  format: integer
  aggregation: sum
  direction: down
  owner: engineering
  value: jobs_failed
- metric: job_success_rate
  title: Job success
  domain: jobs
  description: Succeeded of the jobs that ended.
  formula: jobs_succeeded / (jobs_succeeded + jobs_failed)
  edge_cases: "Running and canceled jobs count neither way."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: engineering
  numerator: jobs_succeeded
  denominator: jobs_succeeded + jobs_failed
- metric: avg_job_seconds
  title: Job length
  domain: jobs
  description: Average length of the jobs that tell one.
  formula: job_seconds / timed_jobs
  unit: seconds
  format: duration
  aggregation: ratio
  direction: down
  owner: engineering
  numerator: job_seconds
  denominator: timed_jobs
- metric: api_requests
  title: API requests
  domain: operations
  description: Requests to the API.
  formula: sum of api_requests
  unit: count
  format: integer
  aggregation: sum
  direction: neutral
  owner: engineering
  value: api_requests
- metric: api_error_rate
  title: API errors
  domain: operations
  description: Requests answered with a status of 500 and above.
  formula: api_errors / api_requests
  edge_cases: "Answers of 400 to 499 are no errors of the service."
  unit: rate
  format: percent
  aggregation: ratio
  direction: down
  owner: engineering
  numerator: api_errors
  denominator: api_requests
- metric: api_p50_ms
  title: API latency, median
  domain: operations
  description: "Half of the day's requests were faster."
  formula: percentile_cont(0.5) of latency_ms
  edge_cases: "Exact for the day; percentiles of days cannot be put together, so there is no week or month."
  unit: milliseconds
  format: decimal
  aggregation: recount
  direction: down
  owner: engineering
  value: api_p50_ms
  grains: [day]
- metric: api_p95_ms
  title: API latency, 95th percentile
  domain: operations
  description: "19 of 20 requests of the day were faster."
  formula: percentile_cont(0.95) of latency_ms
  edge_cases: "Exact for the day; percentiles of days cannot be put together, so there is no week or month."
  unit: milliseconds
  format: decimal
  aggregation: recount
  direction: down
  owner: engineering
  value: api_p95_ms
  grains: [day]
- metric: uptime_rate
  title: Uptime
  domain: operations
  description: Health checks that found the component up.
  formula: health_checks_up / health_checks
  edge_cases: "degraded counts as not up."
  unit: rate
  format: percent
  aggregation: ratio
  direction: up
  owner: engineering
  numerator: health_checks_up
  denominator: health_checks
- metric: avg_cpu_load
  title: CPU load
  domain: operations
  description: Average CPU load of the checks that tell one.
  formula: cpu_load_sum / cpu_load_checks
  unit: ratio
  format: decimal
  aggregation: ratio
  direction: down
  owner: engineering
  numerator: cpu_load_sum
  denominator: cpu_load_checks
{%- endmacro %}
