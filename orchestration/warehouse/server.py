"""The embedded PostgreSQL: for development and demos, when METRICPRESS_DATABASE_URL is not set.

Belongs here: making, starting, finding, stopping and removing the one server of a METRICPRESS_HOME. Does not
belong here: users and places of the operating system (programs.py), and anything inside the database.

Everything lies in METRICPRESS_HOME/postgres: `data` (the cluster), `server.json` (port and passwords, mode
0600), `log`. The server listens on 127.0.0.1 only, asks for a password, and lives until it is stopped. A file
lock makes starting safe from several processes at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from orchestration.errors import MetricpressError
from orchestration.warehouse.programs import Account, account_for, programs_for, server_folder

HOST = "127.0.0.1"
USER = "metricpress"
DATABASE = "metricpress"
START_SECONDS = 60
CRASH_SECONDS = 15
#: Tuned for one machine that does other work beside: about 400 MB at most, builds before many users.
TUNING = {
    "listen_addresses": f"'{HOST}'",
    "unix_socket_directories": "''",
    "max_connections": "100",
    "shared_buffers": "'256MB'",
    "effective_cache_size": "'1GB'",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'128MB'",
    "max_wal_size": "'2GB'",
    "checkpoint_timeout": "'15min'",
    "wal_compression": "'pglz'",
    # No replicas: rows copied into a table made in the same transaction need no log of their own.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    # Compiling costs more than it saves on queries of this size, and dbt's threads use the cores already;
    # parallel workers would also need more shared memory than containers give.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_duration_statement": "'10s'",
    "log_line_prefix": "'%m [%p] %a '",
}
#: For databases that are thrown away: nothing survives a crash of the machine.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Access:
    """How to reach a server: kept in server.json beside its data."""

    port: int
    password: str = field(repr=False)
    bi_password: str = field(repr=False)
    durable: bool = True

    @property
    def url(self) -> str:
        """The libpq URL of the owner of the database; holds the password."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{DATABASE}"


class EmbeddedServer:
    """The PostgreSQL server of one METRICPRESS_HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.link = home / "postgres"

    def start(self, *, durable: bool = True) -> Access:
        """Make and start the server unless it runs already; returns once it takes connections.

        `durable` counts only when the cluster is made: False gives up crash safety for speed (tests).
        """
        access = self.running()
        if access is not None:
            return access
        with self._lock():
            access = self.running()
            if access is None:
                folder = server_folder(self.home)
                access = self._start(folder, account_for(folder), durable)
        return access

    def running(self) -> Access | None:
        """How to reach the server when it runs and is ready, else None."""
        if self._state() != "ready":
            return None
        access = self._access()
        if access is None:
            return None
        try:
            socket.create_connection((HOST, access.port), timeout=2).close()
        except OSError:
            return None
        return access

    def status(self) -> Literal["absent", "stopped", "running"]:
        """Whether there is a cluster, and whether its server takes connections."""
        if not (self.link / "data" / "PG_VERSION").exists():
            return "absent"
        return "running" if self.running() else "stopped"

    def stop(self) -> bool:
        """Stop the server, ending open sessions; False when it did not run."""
        if not (self.link / "data" / "PG_VERSION").exists():
            return False
        with self._lock():
            folder = self.link.resolve()
            account = account_for(folder)
            data, programs = folder / "data", programs_for(account)
            if account.run([programs / "pg_ctl", "status", "-D", data], capture_output=True).returncode != 0:
                return False
            command: list[str | Path] = [programs / "pg_ctl", "stop", "-D", data, "-m", "fast", "-w"]
            stopped = account.run([*command, "-t", str(START_SECONDS)], capture_output=True)
            if stopped.returncode != 0:
                raise MetricpressError(f"the embedded PostgreSQL did not stop: {stopped.stderr.strip()}")
        return True

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        if self.link.exists():
            shutil.rmtree(self.link.resolve())
        if self.link.is_symlink():
            self.link.unlink()

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.link / "log"

    def _start(self, folder: Path, account: Account, durable: bool) -> Access:
        programs, data = programs_for(account), folder / "data"
        access = self._access()
        if not (data / "PG_VERSION").exists():
            access = self._make_cluster(folder, account, programs, durable)
        elif access is None:
            raise MetricpressError(
                f"{folder} holds a database but no server.json with its port and password",
                remedy="Bring the file back, or: metricpress db remove --yes (deletes the database).",
            )
        if not _free(access.port):
            access = Access(_free_port(), access.password, access.bi_password, access.durable)
        _write(folder / "server.json", json.dumps(asdict(access)), account)
        _write(data / "metricpress.conf", _configuration(access), account)
        _drop_stale_pid(data)
        deadline = time.monotonic() + CRASH_SECONDS
        while not self._run(folder, account, programs):
            reason = _tail(folder / "log")
            # A crashed server's last processes are still ending.
            if "shared memory block" not in reason or time.monotonic() > deadline:
                raise MetricpressError(
                    f"the embedded PostgreSQL did not start: {reason}",
                    remedy=f"Read {self.log}. Or set METRICPRESS_DATABASE_URL to your own PostgreSQL.",
                )
            time.sleep(0.2)
        return access

    @staticmethod
    def _run(folder: Path, account: Account, programs: Path) -> bool:
        """Start the server and wait until it takes connections; False when it does not."""
        command: list[str | Path] = [
            programs / "pg_ctl",
            "start",
            "-D",
            folder / "data",
            "-l",
            folder / "log",
        ]
        started = account.run(
            [*command, "-w", "-t", str(START_SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.DEVNULL,
        )
        return started.returncode == 0

    def _make_cluster(self, folder: Path, account: Account, programs: Path, durable: bool) -> Access:
        access = Access(_free_port(), secrets.token_urlsafe(24), secrets.token_urlsafe(24), durable)
        data, unfinished, password_file = folder / "data", folder / "data.new", folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        _write(password_file, access.password, account)
        command: list[str | Path] = [programs / "initdb", "-D", unfinished, "-U", USER, "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", *([] if durable else ["--no-sync"])]
        made = account.run(command, capture_output=True)
        password_file.unlink()
        if made.returncode != 0:
            raise MetricpressError(
                f"the embedded PostgreSQL could not be made: {made.stderr.strip().splitlines()[-1]}",
                remedy="Check free space, or set METRICPRESS_DATABASE_URL to your own PostgreSQL.",
            )
        with (unfinished / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'metricpress.conf'  # written anew at every start\n")
        self._create_database(unfinished, account, programs)
        _write(folder / "server.json", json.dumps(asdict(access)), account)
        # Only a finished cluster bears the name `data`: an interrupted attempt is made again.
        unfinished.rename(data)
        return access

    @staticmethod
    def _create_database(data: Path, account: Account, programs: Path) -> None:
        """Create the database in single-user mode, before anybody can connect."""
        _write(data / "metricpress.conf", "", account)
        command: list[str | Path] = [programs / "postgres", "--single", "-D", data, "postgres"]
        made = account.run(command, input=f"create database {DATABASE};\n", capture_output=True)
        if made.returncode != 0 or "ERROR" in made.stderr:
            raise MetricpressError(f"the embedded PostgreSQL could not be made: {made.stderr.strip()}")

    def _access(self) -> Access | None:
        try:
            return Access(**json.loads((self.link / "server.json").read_text()))
        except FileNotFoundError:
            return None
        except PermissionError:
            account_for(self.link.resolve())  # says whose it is and what to do
            raise

    def _state(self) -> str:
        """The last line PostgreSQL keeps in postmaster.pid while it lives: starting, ready, stopping."""
        try:
            lines = (self.link / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return "stopped"
        except PermissionError:
            account_for(self.link.resolve())
            raise
        return lines[7].strip() if len(lines) > 7 else "starting"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _configuration(access: Access) -> str:
    chosen = TUNING | {"port": str(access.port)} | ({} if access.durable else NOT_DURABLE)
    return "".join(f"{name} = {value}\n" for name, value in chosen.items())


def _write(path: Path, text: str, account: Account) -> None:
    """Replace a file by one that only `account` (and root) may read, in one step."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if account.switch:
        os.chown(partial, account.uid, account.gid)
    partial.replace(path)


def _drop_stale_pid(data: Path) -> None:
    """Remove postmaster.pid when its process is dead or, after a restart of the machine, another program.

    PostgreSQL itself only asks whether the process exists. It still finds out when processes of a crashed
    server use the data.
    """
    file = data / "postmaster.pid"
    if not file.exists() or not Path("/proc/self").exists():
        return
    try:
        command = Path(f"/proc/{int(file.read_text().split()[0])}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        command = b""
    if b"postgres" not in command or os.fsencode(data) not in command:
        file.unlink()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _tail(log: Path) -> str:
    """The last error in the server's log, with its level."""
    lines = log.read_text(errors="replace").strip().splitlines()[-8:] if log.exists() else []
    levels = ("FATAL:", "PANIC:", "ERROR:")
    errors = [line for line in lines if any(level in line for level in levels)] or lines
    return errors[-1] if errors else "no reason given"
