-- charging_sessions -> sessions. The file writes the years 2014 and 2015 as 0014 and 0015; mended here.
select
    "sessionId" as session_id,
    "userId" as user_id,
    case "managerVehicle" when '1' then 'manager' else 'employee' end as user_type,
    "locationId" as branch_id,
    '20' || substr(created, 3) as started_at,
    extract(
        epoch from ('20' || substr(ended, 3))::timestamp - ('20' || substr(created, 3))::timestamp
    ) as duration_seconds,
    "stationId" as station_id,
    "kwhTotal" as kwh,
    platform
from charging_sessions
