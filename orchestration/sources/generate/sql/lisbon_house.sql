-- raw.branches and raw.staff of lisbon-bank, which no publisher offers; sample_data/select/bank_leads.sql and
-- bank_calls.sql assign leads and calls to them.
insert into raw.branches (tenant_id, branch_id, name, timezone, extra)
values
('lisbon-bank', 'lisboa', 'Lisboa', null, '{"generated": true}'),
('lisbon-bank', 'porto', 'Porto', null, '{"generated": true}'),
('lisbon-bank', 'coimbra', 'Coimbra', null, '{"generated": true}'),
('lisbon-bank', 'ponta-delgada', 'Ponta Delgada', 'Atlantic/Azores', '{"generated": true}')
on conflict do nothing;

insert into raw.staff (tenant_id, staff_id, branch_id, name, extra)
select
    'lisbon-bank',
    'agent-' || lpad(agent.number::text, 2, '0'),
    (array['porto', 'coimbra', 'ponta-delgada', 'lisboa'])[1 + mod(agent.number::integer - 1, 4)],
    agent.name,
    '{"generated": true}'
from unnest(array[
    'Ana Almeida', 'Bruno Barros', 'Carla Costa', 'Diogo Duarte', 'Eva Esteves', 'Filipe Faria',
    'Graça Gomes', 'Hugo Henriques', 'Inês Igreja', 'João Jardim', 'Luísa Lopes', 'Miguel Martins'
]) with ordinality as agent (name, number)
on conflict do nothing;
