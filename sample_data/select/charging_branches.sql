-- charging_sessions -> branches: one branch for each of the 25 charging locations.
select
    "locationId" as branch_id,
    'Site ' || "locationId" as name,
    min("facilityType") as facility_type
from charging_sessions
group by "locationId"
order by "locationId"
