-- Rows whose moments lie between two clocks: what a build that moves as_of on looks for, each night, in tables whose
-- index by moment knows only when a row began. Expressions are written as the plan asks (orchestration/marts/dirt.py).
-- Frozen with migration 0009: later changes come in later migrations.

create index leads_by_latest_moment on raw.leads (tenant_id, greatest(created_at, updated_at, converted_at));
create index subscriptions_by_planned_end on raw.subscriptions (tenant_id, cancel_at) where cancel_at is not null;
create index jobs_by_end on raw.jobs (tenant_id, finished_at);
