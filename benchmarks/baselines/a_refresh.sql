-- Baseline (a), the nightly refresh: every view anew.

refresh materialized view baseline_a.users_by_day_and_type;
refresh materialized view baseline_a.leads_by_day;
refresh materialized view baseline_a.calls_by_day;
refresh materialized view baseline_a.revenue_by_month;
refresh materialized view baseline_a.collaborations_by_day;
