"""The sentences a letter opens with, made by the rules that docs/insights.md explains.

Belongs here: rules over a metric's history, the dimension value behind a move, ranking and choice. Does not
belong here: queries (data/insights.py) and the rest of the letter (documents/executive.py).
"""

from orchestration.reports.insights.opening import Opening, open_letter

__all__ = ["Opening", "open_letter"]
