"""From rows of the marts to a neutral document.

Belongs here: what a report says and in which order. Does not belong here: SQL and markup.
"""
