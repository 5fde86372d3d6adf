"""The marts: what a build has to repair (plan), one build at a time (build), how dbt is called (dbt)."""
