"""Pictures of every report for docs/reports.md, in English and German, and of extreme values.

    .venv/bin/python -m scripts.pictures [--home FOLDER]

Belongs here: which reports and periods are shown, and the pages as small PNGs. Does not belong here: what a
report looks like, and how extreme rows are made (extremes.py).

The shipped demo is built in a database of its own, which takes minutes; `--home` keeps it in a folder, so
that the next time takes one. No other database is read or written.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pypdfium2
from PIL import Image

from orchestration.demo import run
from orchestration.reports import ReportRequest, render, templates
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.server import EmbeddedServer
from scripts.extremes import EXTREMES, Extreme, copy_tenant

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "reports.md"
FOLDER = PROJECT / "docs" / "images" / "reports"
#: Pixels across a page, colours in a picture, and bytes that all of them may take.
WIDTH, COLOURS, LARGEST = 760, 128, 6_000_000
LANGUAGES = {"en": "English", "de": "German"}


@dataclass(frozen=True)
class Shot:
    """One report about one period, and how many of its pages are shown."""

    report: str
    tenant: str
    frequency: str
    first: date
    last: date
    pages: int = 2

    @property
    def name(self) -> str:
        """The beginning of its pictures' names."""
        return f"{self.report}-{self.frequency}"


SAKURA_WEEK, SAKURA_MONTH = (date(2025, 3, 24), date(2025, 3, 30)), (date(2025, 3, 1), date(2025, 3, 31))
RAVEN_WEEK, RAVEN_MONTH = (date(2024, 12, 22), date(2024, 12, 28)), (date(2024, 12, 1), date(2024, 12, 31))
SHOTS = (
    Shot("executive", "sakura-weddings", "weekly", *SAKURA_WEEK, pages=3),
    Shot("executive", "ravenstack", "monthly", *RAVEN_MONTH),
    Shot("executive", "sakura-weddings", "daily", date(2025, 3, 31), date(2025, 3, 31), pages=1),
    Shot("lead_performance", "sakura-weddings", "weekly", *SAKURA_WEEK, pages=3),
    Shot("revenue", "ravenstack", "monthly", *RAVEN_MONTH, pages=3),
    Shot("cohort", "sakura-weddings", "monthly", *SAKURA_MONTH),
    Shot("billing", "ravenstack", "monthly", *RAVEN_MONTH),
    Shot("coordination", "sakura-weddings", "monthly", *SAKURA_MONTH),
    Shot("operations", "sakura-weddings", "weekly", *SAKURA_WEEK),
    Shot("usage", "ravenstack", "monthly", *RAVEN_MONTH),
)
#: A year of data, shown beside the extremes.
YEAR = Shot("executive", "sakura-weddings", "range", date(2024, 4, 1), date(2025, 3, 31))
#: What the extremes are shown of; the report, and its language.
OF_EXTREMES = ((SHOTS[0], "en"), (SHOTS[3], "de"), (SHOTS[4], "en"))
WORDS_OF_EXTREMES: dict[Extreme, str] = {
    "empty": "No data",
    "one-row": "One row in each mart",
    "names": "Names of 200 characters",
    "negative": "Negative values",
    "large": "Values a thousand million times as large",
    "unknown": "Values that are not known",
}
EXTREME_PAGES = 2

#: How docs/reports.md begins.
INTRODUCTION = Path(__file__).with_suffix(".md")


@contextmanager
def _nothing(_text: str, _total: float | None) -> Iterator[Callable[..., None]]:
    yield lambda *_args, **_more: None


def take(connection: psycopg.Connection[Any], shot: Shot, locale: str, name: str) -> list[Path]:
    """Render one report and write its first pages as PNGs; their paths."""
    request = ReportRequest(
        shot.tenant, shot.report, shot.frequency, shot.first, shot.last, locale=locale  # type: ignore[arg-type]
    )  # fmt: skip
    pdf = render(connection, request, ("pdf",)).files["pdf"]
    paths = []
    with pypdfium2.PdfDocument(pdf) as document:
        for number in range(min(shot.pages, len(document))):
            path = FOLDER / f"{name}-{locale}-{number + 1}.png"
            page = document[number]
            path.write_bytes(_small(page.render(scale=2 * WIDTH / page.get_width()).to_pil()))
            paths.append(path)
    return paths


def _small(picture: Image.Image) -> bytes:
    """Half the size, in few colours: text on white needs no more."""
    height = round(picture.height * WIDTH / picture.width)
    small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def gallery(connection: psycopg.Connection[Any]) -> str:
    """Take all pictures; the text of docs/reports.md."""
    lines = INTRODUCTION.read_text("utf-8").splitlines()
    known = templates.available()
    for shot in (shot for shot in SHOTS if shot.report in known):
        title = templates.report_type(shot.report, None).title
        lines += ["", f"## {title}, {shot.frequency}"]
        for locale, language in LANGUAGES.items():
            paths = take(connection, shot, locale, shot.name)
            lines += ["", f"{language}:", "", _row(paths, f"{title}, {shot.frequency}, {language}")]
    lines += ["", "## Extremes", "", "### A year of data"]
    lines += ["", _row(take(connection, YEAR, "en", "extreme-year"), "A year of data")]
    lines += [line for extreme in EXTREMES for line in _extreme(connection, extreme)]
    return "\n".join(lines) + "\n"


def _extreme(connection: psycopg.Connection[Any], extreme: Extreme) -> list[str]:
    """Pictures of one extreme; its rows are rolled back."""
    lines = ["", f"### {WORDS_OF_EXTREMES[extreme]}"]
    for shot, locale in OF_EXTREMES:
        if shot.report not in templates.available():
            continue
        with connection.transaction(force_rollback=True):
            copy = copy_tenant(connection, shot.tenant, extreme, shot.last)
            pages = 1 if extreme == "empty" else EXTREME_PAGES
            changed = replace(shot, tenant=copy, pages=pages)
            paths = take(connection, changed, locale, f"extreme-{extreme}-{shot.report}")
        lines += ["", _row(paths, f"{WORDS_OF_EXTREMES[extreme]}: {shot.report}, {LANGUAGES[locale]}")]
    return lines


def _row(paths: list[Path], alt: str) -> str:
    """Pictures side by side."""
    share = 32 if len(paths) > 2 else 48
    return " ".join(
        f'<img src="{path.relative_to(DOCUMENT.parent)}" width="{share}%" alt="{alt}, page {number}">'
        for number, path in enumerate(paths, start=1)
    )


def main() -> None:
    """Build the demo, take the pictures, write the document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, help="keep the demo's database in this folder")
    given = parser.parse_args().home
    home = given.absolute() if given else Path(tempfile.mkdtemp(prefix="metricpress-pictures-"))
    settings = Settings.from_env({"METRICPRESS_HOME": str(home)})
    try:
        run(settings, _nothing)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in FOLDER.glob("*.png"):
            path.unlink()
        with connect(settings) as connection:
            text = gallery(connection)
            connection.rollback()
    finally:
        EmbeddedServer(home).stop() if given else EmbeddedServer(home).remove()
    DOCUMENT.write_text(text)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(list(FOLDER.glob('*.png')))} pictures, {size:,} bytes, in {FOLDER.relative_to(PROJECT)}")
    if size > LARGEST:
        raise SystemExit(f"the pictures take more than {LARGEST:,} bytes")


if __name__ == "__main__":
    main()
