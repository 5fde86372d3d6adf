"""The code location Dagster loads (workspace.yaml): the definitions, and nothing else."""

from orchestration.build import build_defs

defs = build_defs()
