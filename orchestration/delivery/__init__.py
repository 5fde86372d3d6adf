"""Delivery: when a report is due, what was promised and done, and how it reaches people.

Holds calendar, ledger, channels and the service that ties them. Documents are made in orchestration.reports;
nothing here imports dagster.
"""
