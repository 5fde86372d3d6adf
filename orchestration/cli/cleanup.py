"""metricpress deliver cleanup: remove files past their time; the ledger stays."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.cli.console import AsJson, print_json, remark
from orchestration.errors import EXIT_CHECK_FAILED
from orchestration.settings import Settings


def cleanup(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be removed; remove nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove files of reports after the tenant's retention_days, and files no delivery names any more.

    The ledger keeps what was sent to whom, the figures shown and the SHA-256 of each file.
    """
    from orchestration.delivery.retention import clean

    settings = Settings.from_env()
    cleaned = clean(settings, datetime.now(UTC), dry_run=dry_run)
    if as_json:
        print_json(asdict(cleaned))
    else:
        verb = "would be removed" if dry_run else "removed"
        print(f"Files past their time {verb}: {cleaned.files:,} of {cleaned.deliveries:,} deliveries.")
        print(f"Files no delivery names {verb}: {cleaned.orphans:,}, unfinished ones: {cleaned.partials:,}.")
        print(f"{cleaned.bytes:,} bytes.")
        if cleaned.outside:
            remark(
                f"{len(cleaned.outside):,} files past their time were left, since they lie outside of"
                f" {settings.output_dir}, the first: {cleaned.outside[0]}"
            )
        for error in cleaned.errors:
            remark(error)
    if cleaned.errors:
        raise typer.Exit(EXIT_CHECK_FAILED)
