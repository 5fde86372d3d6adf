"""What reports read: schema marts, and the tenant's looks in reporting.tenant_settings.

Belongs here: one function per report section, each a set-based query that gives frozen rows. Does not belong
here: words, formats, and any computation a mart already holds.
"""
