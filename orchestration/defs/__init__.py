"""Everything that imports dagster: thin definitions around functions of the sibling packages.

Belongs here: assets, checks, jobs, schedules, sensors, partitions, resources, and what they show a person in
the UI. Does not belong here: SQL that makes a figure (dbt_project/), rendering, delivery and the build plan,
which know nothing of dagster. `orchestration.build.build_defs` puts the parts together.
"""
