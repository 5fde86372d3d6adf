-- raw.branches, raw.staff, raw.parties: what the other tables refer to.
insert into raw.branches (tenant_id, branch_id, name, extra)
select
    p.tenant_id,
    'branch-' || lpad(b::text, 2, '0'),
    coalesce(p.branch_names[b::integer], 'Branch ' || b),
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(1, p.branches) as b
on conflict do nothing;

insert into raw.staff (tenant_id, staff_id, branch_id, name, extra)
select
    p.tenant_id,
    'staff-' || lpad(s::text, 3, '0'),
    'branch-' || lpad((1 + mod(s, p.branches))::text, 2, '0'),
    coalesce(p.staff_names[s::integer], 'Staff member ' || s),
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(1, p.staff) as s
on conflict do nothing;

insert into raw.parties (tenant_id, party_id, kind, name, extra)
select
    p.tenant_id,
    party.kind || '-' || lpad(n::text, 6, '0'),
    party.kind,
    initcap(party.kind) || ' ' || n,
    '{"generated": true}'
from pg_temp.plan as p
cross join lateral (values ('client', p.clients), ('vendor', p.vendors)) as party (kind, number)
cross join generate_series(1, party.number) as n
on conflict do nothing;
