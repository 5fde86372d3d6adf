"""metricpress deliver send and preview: a report now, for any days, to anybody."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from orchestration.cli.console import AsJson, print_json, progress
from orchestration.cli.deliveries import is_subscription, tell_resent
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

Of = Annotated[str | None, typer.Option("--tenant", help="Whose figures.")]
Report = Annotated[str | None, typer.Option(help="executive, lead_performance, ...")]
Frequency = Annotated[str | None, typer.Option(help="daily, weekly or monthly; default: the subscription's.")]
LocalDate = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="As if due on that local date; default: the last one due."),
]
Period = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="Its day, week or month: 2026-11-20, or a month: 2026-11."),
]
First = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help="A range, with --to DAY (both inclusive).")
]
Days = Annotated[int | None, typer.Option(metavar="N", help="The last N complete days.")]
Branch = Annotated[str | None, typer.Option(help="Only this branch.")]
Param = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the report.")]
Formats = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMATS", help="pdf,html,xlsx,csv,json; preview: also csv-raw"),
]
Template = Annotated[
    str | None, typer.Option(metavar="NAME", help="An own template, instead of the report's.")
]
Locale = Annotated[str | None, typer.Option(help="en, en_GB, de, de_AT ...; default: the tenant's.")]


def send(
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="SUBSCRIPTION|DELIVERY",
            help="A subscription's name or id; or a delivery's id: its files go to --to as they are.",
        ),
    ] = None,
    *,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Who gets it, once for each; after --from: the last day."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="email, slack, webhook or file.")] = None,
    tenant: Of = None,
    report: Report = None,
    frequency: Frequency = None,
    on: LocalDate = None,
    period: Period = None,
    first: First = None,
    days: Days = None,
    branch: Branch = None,
    param: Param = None,
    formats: Formats = None,
    locale: Locale = None,
    template: Template = None,
    as_json: AsJson = False,
) -> None:
    """Send one report now: a subscription's, one of any tenant and days, or an existing one to someone else.

    It goes out whether or not it was sent before, and stands in the ledger with who asked for it.
    """
    from orchestration.delivery import requests, resending

    settings = Settings.from_env()
    recipients, last = _recipients_and_last_day(to, first)
    asked = requests.OnDemand(
        subscription=key, tenant=tenant, report=report, frequency=frequency, on=_day(on), period=period,
        first=_day(first), last=_day(last), days=days, branch=branch, parameters=_parameters(param),
        formats=_split(formats), locale=locale, recipients=recipients or None, method=method,
        template=template,
    )  # fmt: skip
    delivery = _delivery_named(settings, key, tenant)
    if delivery is None:
        with progress(f"sending {key or report or ''}"):
            sent = resending.Resent(requests.send(settings, asked))
    else:
        bare = requests.OnDemand(subscription=key, tenant=tenant, recipients=recipients, method=method)
        if asked != bare or not recipients:
            raise MetricpressError(
                "an existing report goes to someone else as it is",
                remedy="Give --to, and none of the options that make a report.",
            )
        with progress(f"sending {key}"):
            sent = resending.forward(settings, delivery, recipients, method)
    tell_resent(sent, as_json, "Nothing was sent.")


def preview(
    key: Annotated[
        str | None, typer.Argument(metavar="SUBSCRIPTION", help="Its name, its id, or how the id begins.")
    ] = None,
    *,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("preview"),
    open_it: Annotated[bool, typer.Option("--open", help="Open what was rendered.")] = False,
    to: Annotated[
        str | None, typer.Option(metavar="DAY", help="After --from: the last day (inclusive).")
    ] = None,
    tenant: Of = None,
    report: Report = None,
    frequency: Frequency = None,
    on: LocalDate = None,
    period: Period = None,
    first: First = None,
    days: Days = None,
    branch: Branch = None,
    param: Param = None,
    formats: Formats = None,
    locale: Locale = None,
    template: Template = None,
    as_json: AsJson = False,
) -> None:
    """Render one report into a folder, of a subscription or of any tenant; nothing is sent or recorded."""
    from orchestration.delivery.rendering import MAIL_HTML, MAIL_TEXT
    from orchestration.delivery.requests import OnDemand
    from orchestration.delivery.requests import preview as render_preview

    asked = OnDemand(
        subscription=key, tenant=tenant, report=report, frequency=frequency, on=_day(on), period=period,
        first=_day(first), last=_day(to), days=days, branch=branch, parameters=_parameters(param),
        formats=_split(formats), locale=locale, template=template,
    )  # fmt: skip
    with progress(f"rendering {key or report or ''}"):
        _, paths = render_preview(Settings.from_env(), asked, folder)
    if as_json:
        print_json([{"path": path} for path in paths])
    else:
        for path in paths:
            print(path)
    if open_it:
        for path in paths:
            if not path.name.endswith((MAIL_TEXT, MAIL_HTML)) and typer.launch(str(path.resolve())) != 0:
                raise MetricpressError(f"no program opens {path}", remedy="Open it by hand.")


def parameter_from(text: str) -> tuple[str, Any]:
    """`top=5` as a number, `title=All` as a text: the value is JSON where it reads as such."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise MetricpressError(f"{text!r} is no parameter", remedy="Write --param name=value.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _recipients_and_last_day(to: list[str] | None, first: str | None) -> tuple[list[str], str | None]:
    """`--to` names recipients; beside --from the first one that is a date is the last day of the range."""
    from orchestration.cli.build import day_from

    recipients, last = list(to or ()), None
    if first is not None:
        for text in recipients:
            try:
                day_from(text)
            except MetricpressError:
                continue
            last = text
            recipients.remove(text)
            break
    return recipients, last


def _delivery_named(settings: Settings, key: str | None, tenant: str | None) -> UUID | None:
    """The id of the delivery that `key` begins; None when it names a subscription, or nothing."""
    from orchestration.delivery.resending import find_delivery
    from orchestration.warehouse.connection import connect

    if key is None:
        return None
    with connect(settings, "pipeline") as conn:
        return None if is_subscription(conn, key, tenant) else find_delivery(conn, key, tenant)


def _day(text: str | None) -> date | None:
    from orchestration.cli.build import day_from

    return day_from(text) if text else None


def _parameters(texts: list[str] | None) -> dict[str, Any] | None:
    return dict(parameter_from(text) for text in texts) if texts else None


def _split(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text else None
