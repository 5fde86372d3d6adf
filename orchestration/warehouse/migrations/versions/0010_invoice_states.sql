-- Which invoices were paid on certain days, and which are still open: what a build of billing asks for, each night.
-- Frozen with migration 0010: later changes come in later migrations.

create index invoices_by_payment on raw.invoices (tenant_id, paid_at) where status = 'paid';
create index invoices_open on raw.invoices (tenant_id, issued_at) where status = 'open';
