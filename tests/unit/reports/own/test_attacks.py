"""Hostile templates against the process they are rendered in, past the lint that would refuse them first.

All run beside each other; then each is looked at, and they are counted: so many attacks, as many refused, no
file read, nothing fetched, and the next report is fine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import templates
from orchestration.reports.own import process
from orchestration.reports.own.lint import Against, lint
from orchestration.reports.own.render import render_own, render_sample
from orchestration.reports.own.sample import sample_document
from orchestration.reports.own.template import REMEDIES, Limits, OwnTemplate, TemplateFailure
from orchestration.warehouse.tenant_settings import check_setting
from tests.unit.reports.own.attacks import BOMBS, FETCH_KINDS, FETCHES, NESTED, WALK_KINDS, WALKS, svg

REPORT = templates.report_type("executive", None)
SECRET = "canary-in-a-coal-mine"
SECONDS, MEGABYTES = 2, 400
LIMITS = Limits(SECONDS, MEGABYTES)
#: The clock is checked each second, and the machine has other work.
LATE = 4
FORMATS = ("html", "pdf")


@dataclass
class Outcome:
    """How an attack ended."""

    seconds: float
    failure: TemplateFailure | None
    files: dict[str, bytes]


class Counting(BaseHTTPRequestHandler):
    """Counts what asks for something."""

    def do_GET(self) -> None:
        self.server.hits += 1  # type: ignore[attr-defined]
        self.send_response(404)
        self.end_headers()

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "secret.png"
    path.write_text(SECRET)
    # An access that is not on record could not be told from none.
    os.utime(path, (1_000_000_000, 1_600_000_000))
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    made.hits = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def attacks(server: ThreadingHTTPServer, canary: Path) -> dict[str, tuple[str, set[str]]]:
    """Name to source and the kinds of failure that are right."""
    host = f"127.0.0.1:{server.server_address[1]}"
    place = {"host": host, "url": f"http://{host}", "file": str(canary)}
    found = {f"walk: {name}": (source, WALK_KINDS) for name, source in WALKS.items()}
    found |= {f"fetch: {name}": (source.format(**place), FETCH_KINDS) for name, source in FETCHES.items()}
    found |= {f"fetch: {name}": (svg(source.format(**place)), FETCH_KINDS) for name, source in NESTED.items()}
    return found | {f"bomb: {name}": case for name, case in BOMBS.items()}


def attack(source: str, limits: Limits = LIMITS) -> Outcome:
    began = time.monotonic()
    template = OwnTemplate("attack", "executive", source, "acme")
    document = sample_document("executive", "Sample")
    try:
        files = render_own(template, document, REPORT, {}, FORMATS, limits, None)
        return Outcome(time.monotonic() - began, None, files)
    except TemplateFailure as error:
        return Outcome(time.monotonic() - began, error, {})


@pytest.fixture(scope="module")
def outcomes(attacks: dict[str, tuple[str, set[str]]]) -> dict[str, Outcome]:
    attack("warm")  # the server's start is nobody's attack
    with ThreadPoolExecutor(4) as pool:
        ended = pool.map(lambda name: attack(attacks[name][0], limits_of(name)), attacks)
        return dict(zip(attacks, ended, strict=True))


def limits_of(name: str) -> Limits:
    """Only bombs run into limits; that the others are refused for what they do is not left to the clock."""
    return LIMITS if name.startswith("bomb") else Limits(20, MEGABYTES)


NAMES = [
    *(f"walk: {name}" for name in WALKS),
    *(f"fetch: {name}" for name in (*FETCHES, *NESTED)),
    *(f"bomb: {name}" for name in BOMBS),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_attack_is_refused_in_time(
    name: str, attacks: dict[str, tuple[str, set[str]]], outcomes: dict[str, Outcome]
) -> None:
    outcome = outcomes[name]
    assert outcome.failure is not None, {name: len(content) for name, content in outcome.files.items()}
    # On a busy machine the clock may be first.
    assert outcome.failure.kind in attacks[name][1] | {"time"}, outcome.failure
    assert outcome.failure.remedy == REMEDIES[outcome.failure.kind]
    assert str(outcome.failure).startswith("template attack: ")
    assert SECRET not in str(outcome.failure)
    assert outcome.seconds < limits_of(name).seconds + LATE


def test_lint_refuses_walks_and_fetches_before_they_run(attacks: dict[str, tuple[str, set[str]]]) -> None:
    """All but those whose parts only come together when they are rendered."""
    late = {"fetch: img made of parts", "fetch: import escaped", "fetch: css url escaped",
            "fetch: css url entity", "walk: concatenated"}  # fmt: skip
    late |= {f"fetch: {name}" for name in NESTED}
    passed = set()
    for name, (source, _) in attacks.items():
        template = OwnTemplate("attack", "executive", source, "acme")
        if not name.startswith("bomb") and not lint(template, Against(REPORT, ("en",))):
            passed.add(name)
    assert passed <= late


def test_lint_takes_its_time_in_proportion_to_the_source() -> None:
    began = time.monotonic()
    lint(OwnTemplate("attack", "executive", "<" + " " * 200_000, "acme"), Against(REPORT, ("en",)))
    assert time.monotonic() - began < LATE


def test_groups_have_a_name_and_a_list_as_lint_says() -> None:
    source = """{% for group in [{"a": 1}, {"a": 2}] | groupby("a") -%}
        {{ group.grouper }}:{{ group.list | length }};
    {%- endfor %}"""
    template = OwnTemplate("groups", "executive", source, "acme")
    assert lint(template, Against(REPORT, ("en",))) == []
    assert b"1:1;2:1;" in render_sample(template, REPORT, "en", Limits(20, MEGABYTES), None)["html"]


def test_a_logo_of_50_mb_is_refused_when_it_is_set(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50_000_000))
    with pytest.raises(MetricpressError, match="50,000,008 bytes, more than 500,000"):
        check_setting("brand.logo", str(logo))


def test_the_count(
    outcomes: dict[str, Outcome],
    server: ThreadingHTTPServer,
    canary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = [outcome for outcome in outcomes.values() if outcome.failure is not None]
    read = sum(SECRET.encode() in content for one in outcomes.values() for content in one.files.values())
    fetched = server.hits  # type: ignore[attr-defined]
    fine = render_sample(
        OwnTemplate("fine", "executive", '{% extends "base.html.j2" %}', "acme"),
        REPORT,
        "de",
        Limits(30, 500),
        None,
    )
    with capsys.disabled():
        print(f"\n{len(outcomes)} attacks, {len(refused)} refused, {read} files read, {fetched} fetched; "
              f"the slowest took {max(one.seconds for one in outcomes.values()):.1f} s")  # fmt: skip
    assert len(refused) == len(outcomes) == len(NAMES)
    assert len(outcomes) > 100
    assert (read, fetched) == (0, 0)
    assert canary.stat().st_atime == 1_000_000_000
    assert fine["pdf"].startswith(b"%PDF")
    assert b"Content-Security-Policy" in fine["html"]


def test_a_child_that_is_killed_leaves_no_process_and_no_descriptor(outcomes: dict[str, Outcome]) -> None:
    assert outcomes
    (server,) = [one for one in process._servers.values() if one.is_alive]
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert children == []
    before = len(os.listdir("/proc/self/fd"))
    attack("{% for %}")
    assert len(os.listdir("/proc/self/fd")) == before
