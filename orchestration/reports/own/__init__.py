"""Tenants' own templates: kept in versions, linted before they are saved, rendered apart from everything
else.

Belongs here: what a template may contain (lint, sandbox), the process it is rendered in, and its rows. Does
not belong here: the shipped templates (reports/templates.py) and what documents say (documents/).
"""
