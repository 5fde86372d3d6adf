"""What the fault cases share: the failing mail server, dispatcher processes, and the invariant over both.

`post` is one world for one test: a warehouse, a mail server told to fail by rules, dispatchers as processes
and `reconcile()`, which every case ends with.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from email import message_from_string
from email.policy import default
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.conftest import environment_of
from tests.integration.delivery.conftest import NOON, Warehouse
from tests.integration.delivery.faults import dispatcher
from tests.integration.delivery.faults.reconcile import Promise, Received, Row, violations

HERE = Path(__file__).parent
#: Generous: other work shares the machine, and no case asserts on speed.
SECONDS = 120.0
TODAY = NOON.date()

FORKS = multiprocessing.get_context("forkserver")
# pytest too: every child imports the main module of its parent.
FORKS.set_forkserver_preload(["pytest", dispatcher.__name__])

_LEDGER = """
    select d.tenant_id, d.occurrence_id, s.name as subscription, o.local_date, d.recipient, d.attempt_group,
        d.kind, d.delivery_status, d.message_id, d.delivered_at, d.next_attempt_at, o.state,
        d.channel in ('webhook', 'file') or d.progress is not null as is_repeatable,
        array(
            select f ->> 'sha256' from jsonb_array_elements(d.files) as f
            where f ->> 'format' in ('pdf', 'html', 'csv', 'xlsx', 'json')
        ) as digests
    from reporting.report_deliveries as d
    join reporting.report_occurrences as o using (tenant_id, occurrence_id)
    join reporting.report_subscriptions as s using (tenant_id, subscription_id)
    order by d.tenant_id, s.name, o.local_date, d.recipient, d.attempt_group
"""

_EMPTY = """
    select pg_terminate_backend(pid, 10000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend';
    drop function if exists reporting.stand_still cascade;
    truncate reporting.report_subscriptions, reporting.tenant_settings, reporting.check_results,
        reporting.operator_notices, build.builds, raw.tenants cascade;
"""
_NO_MARTS = """
    create table if not exists marts.tenants (
        tenant_id text primary key, name text, timezone text, currency text, week_start text,
        as_of timestamptz, as_of_date date, complete_date date
    );
    truncate marts.tenants;
"""


def wait_until(condition: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Return when `condition()` holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class FaultServer:
    """The process of fault_server.py."""

    def __init__(self, folder: Path) -> None:
        self.mailbox = folder / "mailbox.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, HERE / "fault_server.py", self.mailbox],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    def fails(self, *rules: dict[str, Any]) -> None:
        """The rules from now on, in place of those before; none: it works."""
        self._order({"do": "rules", "rules": rules})

    def wait_until_held(self) -> None:
        assert self._order({"do": "held", "seconds": SECONDS}) == {"held": True}

    def release(self) -> None:
        self._order({"do": "release"})

    def refuse(self) -> None:
        self._order({"do": "refuse"})

    def accept(self) -> None:
        self._order({"do": "accept"})

    def received(self) -> list[Received]:
        """Every message the server took, in order."""
        return [_received(kept) for kept in self._kept()]

    def _kept(self) -> list[dict[str, Any]]:
        """The lines that are written to their end: the server may be at the next one."""
        text = self.mailbox.read_text() if self.mailbox.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def contents(self) -> list[str]:
        """The words of every message, decoded."""
        messages = [message_from_string(kept["content"], policy=default) for kept in self._kept()]
        return [
            part.get_content()
            for message in messages
            for part in message.walk()
            if part.get_content_maintype() == "text"
        ]

    def recipients(self) -> list[str]:
        return sorted(recipient for message in self.received() for recipient in message.recipients)

    def empty(self) -> None:
        """Begin anew, for the next test."""
        self.fails()
        self.refuse()
        self.accept()
        self.mailbox.unlink(missing_ok=True)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=SECONDS)

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS + 10)
        assert ready, f"the mail server does not answer to {order}"
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def _received(kept: dict[str, Any]) -> Received:
    message = message_from_string(kept["content"], policy=default)
    attached = [part.get_payload(decode=True) for part in message.iter_attachments()]
    return Received(
        key=str(message["Message-ID"]),
        recipients=tuple(kept["to"]),
        addressed_to=str(message["To"]),
        digests=frozenset(hashlib.sha256(content).hexdigest() for content in attached),
    )


@dataclass
class Dispatcher:
    """A dispatcher's process."""

    process: ForkServerProcess
    folder: Path

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join(SECONDS)

    def end(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for the end; returns what it told as JSON. Fails when it did not end by itself."""
        self.process.join(seconds)
        assert self.process.exitcode in (0, 1), f"{self.process.exitcode}: {self.stderr}"
        told: dict[str, Any] = json.loads((self.folder / "stdout").read_text())
        return told

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()


@dataclass
class Post:
    """One world: warehouse, mail server, dispatchers."""

    warehouse: Warehouse
    server: FaultServer
    folder: Path
    dispatchers: list[Dispatcher] = field(default_factory=list)
    #: Added to the environment of every dispatcher.
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.warehouse.settings

    def start(self, now: datetime = NOON, *more: str, **environment: str) -> Dispatcher:
        """Start `metricpress deliver --at NOW --json` and return at once."""
        return self.run("deliver", "--at", now.isoformat(), "--json", *more, **environment)

    def run(self, *arguments: str, **environment: str) -> Dispatcher:
        """Start any command as a process of its own."""
        folder = self.folder / str(len(self.dispatchers))
        folder.mkdir()
        process = FORKS.Process(
            target=dispatcher.in_process,
            args=(self.environment | environment, arguments, str(folder)),
            daemon=True,
        )
        process.start()
        self.dispatchers.append(Dispatcher(process, folder))
        return self.dispatchers[-1]

    def dispatch(self, now: datetime = NOON, *more: str, **environment: str) -> dict[str, Any]:
        """Run a dispatcher to its end."""
        return self.start(now, *more, **environment).end()

    @property
    def environment(self) -> dict[str, str]:
        return (
            environment_of(self.settings)
            | self.variables
            | {
                "METRICPRESS_OUTPUT_DIR": str(self.settings.output_dir),
                "METRICPRESS_SMTP_URL": self.settings.smtp_url or "",
                "METRICPRESS_MAIL_FROM": self.settings.mail_from,
                "RENDERINGS": str(self.settings.home / "renderings"),
            }
        )

    def promise(self, *recipients: str, tenant: str = "gym", name: str = "daily", **more: Any) -> None:
        """A tenant with a daily report for these local parts, due today at 09:00 UTC."""
        if not self.warehouse.rows("select from raw.tenants where tenant_id = %s", tenant):
            self.warehouse.add_tenant(tenant)
        addresses = [f"{recipient}@{tenant}.example" for recipient in recipients]
        self.warehouse.subscribe(tenant, *addresses, name=name, **more)

    def ledger(self) -> list[Row]:
        with self.warehouse.conn.cursor(row_factory=class_row(Row)) as cursor:
            rows = cursor.execute(_LEDGER).fetchall()
        return [replace(row, digests=frozenset(row.digests)) for row in rows]

    def statuses(self) -> dict[str, str]:
        """Local part of the recipient -> delivery_status; for worlds with one occurrence."""
        return {row.recipient.partition("@")[0]: row.delivery_status for row in self.ledger()}

    def promised(self, *dates: date) -> list[Promise]:
        """What the subscriptions ask for on these local dates, read without the planner."""
        asked = self.warehouse.rows(
            "select name, unnest(recipients) as recipient from reporting.report_subscriptions"
        )
        return [Promise(row["name"], day, row["recipient"]) for row in asked for day in dates]

    def violations(self, *dates: date, excused: Sequence[str] = (), settled: bool = True) -> list[str]:
        promised = self.promised(*(dates or (TODAY,)))
        return violations(self.server.received(), self.ledger(), promised, excused=excused, settled=settled)

    def reconcile(self, *dates: date, excused: Sequence[str] = (), settled: bool = True) -> None:
        """The invariant holds; `dates`: the local dates on which reports were due (default: today)."""
        assert self.violations(*dates, excused=excused, settled=settled) == []

    def recover(self, minutes: float = 2, **environment: str) -> None:
        """Everything works again; dispatchers run at later and later moments until nothing is open."""
        self.server.fails()
        now = NOON
        for _ in range(4):
            now += timedelta(minutes=minutes)
            self.dispatch(now, **environment)
            if not any(row.is_open for row in self.ledger()):
                return
            minutes *= 2

    @contextmanager
    def hold(self, table: str, event: str, condition: str = "true") -> Iterator[Hold]:
        """A lock at exactly those writes to a table of `reporting`: who makes one stands still in it."""
        with (
            connect(self.settings, autocommit=True) as conn,
            connect(self.settings, autocommit=True) as keeper,
        ):
            keeper.execute("select pg_advisory_lock(42)")
            conn.execute(
                """create or replace function reporting.stand_still() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock(42); return new; end $$"""
            )
            conn.execute(
                f"create trigger stand_still before {event} on reporting.{table} for each row "
                f"when ({condition}) execute function reporting.stand_still()"
            )
            yield Hold(conn, keeper)


@dataclass
class Hold:
    """Dispatchers stand still at a statement as long as `keeper` has the lock."""

    conn: psycopg.Connection[Any]
    keeper: psycopg.Connection[Any]

    def standing(self) -> list[int]:
        """Database processes that stand still."""
        rows = self.conn.execute(
            "select pid from pg_locks where locktype = 'advisory' and objid = 42 and not granted"
        )
        return [pid for (pid,) in rows]

    def wait_until_reached(self, count: int = 1) -> None:
        """Until one dispatcher stands here, and so many wait for it or beside it."""
        wait_until(self.standing)
        wait_until(lambda: self._locked() >= count)

    def _locked(self) -> int:
        rows = self.conn.execute(
            """select pid from pg_stat_activity where datname = current_database()
                and application_name = 'metricpress deliver' and wait_event_type = 'Lock'"""
        )
        return len(rows.fetchall())

    def roll_back(self) -> None:
        """The statement never happened: its database process is ended."""
        pids = self.standing()
        self.conn.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", (pids,))
        self.let_go()

    def let_go(self) -> None:
        """The statement goes on, whether or not somebody waits for it."""
        pids = self.standing()
        self.keeper.execute("select pg_advisory_unlock_all()")
        wait_until(lambda: not self._alive(pids) or not self._waiting(pids))

    def _alive(self, pids: list[int]) -> bool:
        return bool(self.conn.execute("select from pg_stat_activity where pid = any(%s)", (pids,)).fetchall())

    def _waiting(self, pids: list[int]) -> bool:
        return bool(set(pids) & set(self.standing()))


def wait_until_gone(warehouse: Warehouse) -> None:
    """Until the database has noticed that the killed dispatchers are gone."""
    wait_until(
        lambda: (
            not warehouse.rows(
                """select from pg_stat_activity
            where datname = current_database() and application_name like 'metricpress deliver%%'"""
            )
        )
    )


@pytest.fixture(scope="session")
def shared_settings(
    new_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """One database for the package; `warehouse` empties it for each test."""
    return new_settings(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def warehouse(shared_settings: Settings, tmp_path: Path) -> Iterator[Warehouse]:
    """The emptied database with one finished build; folders of its own."""
    settings = replace(shared_settings, home=tmp_path, output_dir=tmp_path / "reports")
    yield from emptied(settings)


def emptied(settings: Settings) -> Iterator[Warehouse]:
    """A warehouse without tenants, with one finished build over empty marts."""
    with connect(settings, autocommit=True) as owner:
        owner.execute(_EMPTY)
    with connect(settings, "pipeline", autocommit=True) as conn:
        conn.execute(_NO_MARTS)
        made = Warehouse(settings, conn)
        made.add_build()
        yield made


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path_factory.mktemp("mail"))
    yield server
    server.stop()


@pytest.fixture
def post(warehouse: Warehouse, shared_server: FaultServer, tmp_path: Path) -> Iterator[Post]:
    shared_server.empty()
    warehouse.settings = replace(
        warehouse.settings, smtp_url=shared_server.url, mail_from="Reports <reports@mp.example>"
    )
    folder = tmp_path / "dispatchers"
    folder.mkdir()
    world = Post(warehouse, shared_server, folder)
    yield world
    for started in world.dispatchers:
        if started.process.is_alive():
            started.kill()
