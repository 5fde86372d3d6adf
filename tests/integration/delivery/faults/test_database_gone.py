"""The database goes away in the middle of a dispatch and comes back: a PostgreSQL of their own is stopped.

It commits without waiting for its disk, as an installation may be tuned to: whatever the ledger relies on
must have been made safe by the dispatcher itself.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.migrate import migrate
from orchestration.warehouse.programs import account_for, programs_for
from orchestration.warehouse.server import EmbeddedServer
from tests.integration.delivery.conftest import NOON
from tests.integration.delivery.faults.conftest import SECONDS, Dispatcher, Post, wait_until

pytestmark = pytest.mark.integration
Stop = Callable[[str], None]
MODES = pytest.mark.parametrize("mode", ["fast", "immediate"])


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedServer]:
    home = Path(tempfile.mkdtemp(prefix="metricpress-gone-"))
    home.chmod(0o755)
    server = EmbeddedServer(home)
    access = server.start(durable=False)
    settings = Settings(home=home, output_dir=home, database_url=access.url)
    migrate(settings)
    with connect(settings, autocommit=True) as conn:
        # What was committed and not waited for is lost for certain.
        conn.execute("alter system set wal_writer_delay = '10s'")
        conn.execute("select pg_reload_conf()")
    yield server
    server.remove()
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def shared_settings(own_server: EmbeddedServer) -> Settings:
    access = own_server.start()
    return Settings(home=own_server.home, output_dir=own_server.home, database_url=access.url)


@pytest.fixture
def stop(own_server: EmbeddedServer) -> Iterator[Stop]:
    """`stop("fast")` or `stop("immediate")`; the server runs again for the next test."""

    def stop(mode: str) -> None:
        folder = own_server.link.resolve()
        account = account_for(folder)
        pg_ctl = programs_for(account) / "pg_ctl"
        done = account.run([pg_ctl, "stop", "-D", folder / "data", "-m", mode, "-w"], capture_output=True)
        assert done.returncode == 0, done.stderr

    yield stop
    own_server.start()


def start_again(post: Post, server: EmbeddedServer) -> None:
    server.start()
    post.warehouse.conn.close()
    post.warehouse.conn = connect(post.settings, "pipeline", autocommit=True)


def ended_by_the_loss(*dispatchers: Dispatcher) -> None:
    """All end, and those the loss met with one line of what is wrong instead of a traceback."""
    for dispatcher in dispatchers:
        dispatcher.process.join(SECONDS)
        assert dispatcher.process.exitcode is not None
        assert "Traceback" not in dispatcher.stderr
    assert any(dispatcher.process.exitcode for dispatcher in dispatchers)


@MODES
@pytest.mark.parametrize("step", ["rcpt", "dot", "answer"])
def test_gone_while_a_message_is_under_way(post, own_server, stop, step, mode) -> None:
    """The mail server answers while the database is away: what it said is recorded, or is unknown."""
    post.promise("a", "b", "c")
    post.server.fails({"step": step, "to": "b", "do": "hold"})
    dispatcher = post.start()
    post.server.wait_until_held()
    stop(mode)
    post.server.release()
    wait_until(lambda: "b@gym.example" in post.server.recipients())
    start_again(post, own_server)
    ended_by_the_loss(dispatcher)
    post.recover()
    assert post.statuses() == {"a": "sent", "b": "sent", "c": "sent"}
    post.reconcile()


@MODES
def test_gone_between_the_answer_and_its_record(post, own_server, stop, mode) -> None:
    """The server said 250 and the database dies within the statement that records it."""
    post.promise("a", "b", "c")
    with post.hold("report_deliveries", "update", "new.delivery_status = 'sent'") as hold:
        dispatcher = post.start()
        hold.wait_until_reached()
        assert post.statuses()["a"] == "sending"
        stop(mode)
    start_again(post, own_server)
    ended_by_the_loss(dispatcher)
    post.recover()
    assert post.server.recipients().count("a@gym.example") == 1
    assert post.statuses() == {"a": "sent", "b": "sent", "c": "sent"}
    post.reconcile()


@pytest.mark.parametrize("state", ["rendering", "ready", "sending"])
def test_gone_within_a_claim(post, own_server, stop, state) -> None:
    post.promise("a", "b", "c")
    with post.hold("report_deliveries", "update", f"new.delivery_status = '{state}'") as hold:
        dispatcher = post.start()
        hold.wait_until_reached()
        stop("immediate")
    start_again(post, own_server)
    ended_by_the_loss(dispatcher)
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


def outage(post: Post, server: EmbeddedServer, stop: Stop, seconds: float, seed: int) -> None:
    """Two dispatchers work; the database dies with some messages out, for so long; a third tries."""
    chance = random.Random(seed)
    for number in range(6):
        post.promise(*"abcde", tenant=f"tenant{number}", name=f"daily {number}")
    step = chance.choice(["rcpt", "dot", "answer"])
    post.server.fails({"step": step, "do": "hold", "skip": chance.randint(1, 25)})
    crowd = [post.start() for _ in range(2)]
    post.server.wait_until_held()
    stop(chance.choice(["fast", "immediate"]))
    post.server.release()
    ended_by_the_loss(post.start())
    time.sleep(seconds)
    start_again(post, server)
    ended_by_the_loss(*crowd)
    post.recover()
    post.reconcile()
    assert sum(row.delivery_status == "unknown" for row in post.ledger()) <= 2, "one for each dispatcher"
    post.dispatch(NOON + timedelta(hours=12))
    post.reconcile()


@pytest.mark.parametrize("seed", range(2))
def test_gone_in_the_middle(post, own_server, stop, seed) -> None:
    outage(post, own_server, stop, 1, seed)


@pytest.mark.long
def test_gone_for_thirty_seconds(post, own_server, stop) -> None:
    outage(post, own_server, stop, 30, 7)
