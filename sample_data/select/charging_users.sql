-- charging_sessions -> users: the 85 drivers. The publisher knows no day of signing up, so signed_up_at stays
-- NULL; cohorts of this tenant begin with the first session. A driver belongs to the site used most.
select
    drivers.user_id,
    drivers.branch_id,
    drivers.user_type
from (
    select distinct on ("userId")
        "userId" as user_id,
        "locationId" as branch_id,
        case max("managerVehicle") when '1' then 'manager' else 'employee' end as user_type
    from charging_sessions
    group by "userId", "locationId"
    order by "userId", count(*) desc, "locationId"
) as drivers
