"""Figures on demand: any range of days, the rows behind a figure, restatements of published ones."""
