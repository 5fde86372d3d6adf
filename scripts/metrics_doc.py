"""Write docs/metrics.md from the metric definitions of dbt; `--check` tells whether it is up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

PROJECT = Path(__file__).resolve().parents[1]
DEFINITIONS = PROJECT / "dbt_project" / "macros" / "metrics" / "metric_definitions.sql"
EXAMPLES = PROJECT / "docs" / "examples" / "movements.yml"
DOCUMENT = PROJECT / "docs" / "metrics.md"
DIRECTION = {"up": "more is good", "down": "less is good", "neutral": "neither more nor less is good"}


def definitions() -> list[dict[str, Any]]:
    """The entries of metric_definitions.sql, in their order."""
    text = DEFINITIONS.read_text()
    body = re.search(r"metric_definitions_yaml\(\) -%}\n(.*){%- endmacro %}", text, re.DOTALL)
    if body is None:
        raise SystemExit(f"{DEFINITIONS}: no macro metric_definitions_yaml")
    entries: list[dict[str, Any]] = yaml.safe_load(body.group(1))
    return entries


def expression(part: dict[str, Any]) -> str:
    """What is read: a value, or a quotient."""
    return part.get("value") or f"{bracketed(part['numerator'])} / {bracketed(part['denominator'])}"


def bracketed(text: str) -> str:
    """An operand of a quotient."""
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def source(entry: dict[str, Any]) -> str:
    """Where the value is read."""
    if entry["aggregation"] == "derived":
        return f"other metrics: {expression(entry)}"
    told = f"`{entry.get('model', 'daily_metrics')}`: {expression(entry)}"
    return f"{told}; months: `revenue_metrics`: {expression(entry['month'])}" if entry.get("month") else told


def aggregation(entry: dict[str, Any]) -> str:
    """How days become longer periods."""
    monthly = entry.get("model") == "revenue_metrics"
    grains = entry.get("grains") or (["month"] if monthly else ["day", "week", "month"])
    if grains == ["day"]:
        return "told by day only"
    if grains == ["month"]:
        return "told by month only"
    return {
        "sum": "days are added",
        "last": "the last day of the period",
        "recount": f"counted anew over the period (`{entry.get('week')}`, `{entry.get('month_to_date')}`)",
        "ratio": "ratio of the summed parts",
        "derived": "computed from the metrics of the same period",
    }[entry["aggregation"]] + ("" if len(grains) == 3 else f"; for {' and '.join(grains)}")


def drill_down(entry: dict[str, Any]) -> str:
    """The dimensions, each with where it is read."""
    parts = entry.get("dimensions", {})
    return "; ".join(
        f"{name} (`{part['model']}`: {expression(part)})" for name, part in sorted(parts.items())
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table; columns that no row has are left out."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[str(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render() -> str:
    """The text of docs/metrics.md."""
    environment = Environment(
        loader=FileSystemLoader(PROJECT / "scripts"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    metrics = [{"edge_cases": None, **entry} for entry in definitions()]
    return environment.get_template("metrics.md.j2").render(
        metrics=metrics,
        domains=list(dict.fromkeys(entry["domain"] for entry in metrics)),
        source=source,
        aggregation=aggregation,
        drill_down=drill_down,
        examples=yaml.safe_load(EXAMPLES.read_text()),
        table=table,
        direction=DIRECTION,
    )


def main(arguments: list[str]) -> None:
    """Write the document, or with --check exit 1 when it is not what would be written."""
    text = render()
    if "--check" not in arguments:
        DOCUMENT.write_text(text)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
        raise SystemExit("docs/metrics.md is not up to date: run python scripts/metrics_doc.py")


if __name__ == "__main__":
    main(sys.argv[1:])
