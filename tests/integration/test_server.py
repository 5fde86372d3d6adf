"""The embedded PostgreSQL: found by every process, started once, alive until stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.programs import account_for
from orchestration.warehouse.server import EmbeddedServer

pytestmark = pytest.mark.integration
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="metricpress-server-"))
    folder.chmod(0o755)
    yield folder
    EmbeddedServer(folder).remove()
    shutil.rmtree(folder)


def settings_of(home: Path) -> Settings:
    return Settings.from_env({"METRICPRESS_HOME": str(home)})


def postmaster(server: EmbeddedServer) -> int:
    return int((server.link / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_life_of_a_server(home: Path) -> None:
    server = EmbeddedServer(home)
    assert server.status() == "absent"
    assert server.stop() is False
    first = server.start(durable=False)
    assert server.status() == "running"
    with connect(settings_of(home)) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert EmbeddedServer(home).start() == first, "another object finds the same server"
    assert server.stop() is True
    assert server.status() == "stopped"
    server.start()
    with connect(settings_of(home)) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    server.remove()
    assert server.status() == "absent"


def test_many_processes_start_one_server(home: Path) -> None:
    program = (
        "from orchestration.settings import Settings; from orchestration.warehouse.connection import connect;"
        "c = connect(Settings.from_env());"
        "print(c.execute('select pg_postmaster_start_time()').fetchone()[0].isoformat())"
    )
    environment = os.environ | {"METRICPRESS_HOME": str(home), "PYTHONPATH": str(PROJECT)}
    started = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    answers = {process.communicate(timeout=60)[0].strip() for process in started}
    assert len(answers) == 1
    assert "" not in answers
    assert all(process.returncode == 0 for process in started)


def test_it_outlives_the_process_group_that_started_it(home: Path) -> None:
    program = (
        "import time; from pathlib import Path; from orchestration.warehouse.server import EmbeddedServer;"
        f"EmbeddedServer(Path({str(home)!r})).start(durable=False); print('up', flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert EmbeddedServer(home).status() == "running"


def test_it_comes_back_after_a_crash(home: Path) -> None:
    server = EmbeddedServer(home)
    server.start()
    with connect(settings_of(home)) as connection:
        connection.execute("create table kept as select 42 as answer")
    pid = postmaster(server)
    os.kill(pid, signal.SIGKILL)
    while server.running():
        time.sleep(0.05)
    with connect(settings_of(home)) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    assert postmaster(server) != pid


def test_a_taken_port_is_left(home: Path) -> None:
    server = EmbeddedServer(home)
    before = server.start(durable=False)
    server.stop()
    with socket.create_server(("127.0.0.1", before.port)):
        after = server.start()
    assert after.port != before.port
    assert after.password == before.password
    connect(settings_of(home)).close()


def test_only_those_with_the_password_come_in(home: Path) -> None:
    access = EmbeddedServer(home).start(durable=False)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(access.url.replace(access.password, "wrong"))
    secret = home / "postgres" / "server.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert json.loads(secret.read_text())["password"] == access.password
    assert access.password not in repr(access)
    with connect(settings_of(home)) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_as_root_it_runs_as_another_user(home: Path) -> None:
    server = EmbeddedServer(home)
    server.start(durable=False)
    assert Path(f"/proc/{postmaster(server)}").stat().st_uid != 0
    assert (home / "postgres").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's user cannot reach")
def test_a_home_the_servers_user_cannot_reach(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "home")
    server.start(durable=False)
    try:
        assert server.link.is_symlink()
        place = server.link.resolve()
        connect(settings_of(closed / "home")).close()
    finally:
        server.remove()
    assert not place.exists()
    assert not server.link.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_another_users_server_is_refused_by_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EmbeddedServer(home).start(durable=False)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(MetricpressError) as caught:
        account_for(home / "postgres")
    assert "belongs to another user (metricpress)" in str(caught.value)
    assert "METRICPRESS_DATABASE_URL" in caught.value.remedy


def test_a_broken_start_names_the_log(home: Path) -> None:
    server = EmbeddedServer(home)
    server.start(durable=False)
    server.stop()
    with (home / "postgres" / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = 'a lot'\n")
    with pytest.raises(MetricpressError) as caught:
        server.start()
    assert "did not start" in str(caught.value)
    assert str(server.log) in caught.value.remedy
