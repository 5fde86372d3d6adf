"""A warehouse with one finished build, subscriptions, an SMTP server in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.rows import dict_row

from orchestration.delivery import rendering, subscriptions
from orchestration.delivery.channels.parcel import About, Attachment, Highlight, Parcel, Summary
from orchestration.delivery.subscriptions import Subscription
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Warehouse:
    """A migrated database with a pipeline connection in autocommit."""

    settings: Settings
    conn: psycopg.Connection[Any]

    def add_tenant(self, tenant: str, timezone: str = "UTC", complete: str | None = "2026-11-19") -> None:
        self.conn.execute(
            "insert into raw.tenants (tenant_id, name, timezone) values (%s, %s, %s)",
            (tenant, tenant, timezone),
        )
        if complete:
            self.conn.execute(
                "insert into marts.tenants values (%s, %s, %s, 'USD', 'monday', %s, %s, %s)",
                (tenant, tenant, timezone, NOON, NOON.date(), complete),
            )

    def add_build(
        self, status: str = "complete", marts: tuple[str, ...] = ("tenants", "daily_metrics")
    ) -> str:
        (build_id,) = self.conn.execute(
            "insert into build.builds (status) values (%s) returning build_id::text", (status,)
        ).fetchone()
        for mart in marts:
            self.conn.execute(
                """insert into build.mart_state (mart, build_id) values (%s, %s)
                on conflict (mart) do update set build_id = excluded.build_id""",
                (mart, build_id),
            )
        return build_id

    def fail_check(self, tenant: str, build_id: str, severity: str = "error") -> None:
        self.conn.execute(
            """insert into reporting.check_results
                (tenant_id, build_id, mart, check_name, severity, failed_rows)
            values (%s, %s, 'revenue_metrics', 'mrr_identity', %s, 3)""",
            (tenant, build_id, severity),
        )

    def subscribe(self, tenant: str, *recipients: str, **more: Any) -> Subscription:
        more = {"name": "daily executive", "report": "executive", "frequency": "daily"} | more
        more.setdefault("starts_on", date(2026, 11, 20))
        return subscriptions.add(self.conn, Subscription(tenant_id=tenant, recipients=recipients, **more))

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def statuses(self) -> dict[str, str]:
        """Recipient -> delivery_status."""
        rows = self.rows("select recipient, delivery_status from reporting.report_deliveries")
        return {row["recipient"]: row["delivery_status"] for row in rows}


@pytest.fixture
def warehouse(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """One finished build over empty marts; the report is the tiny one."""
    sys.path.insert(0, str(HERE))
    import tiny_report

    sys.path.remove(str(HERE))
    monkeypatch.setattr(rendering, "render", tiny_report.render)
    monkeypatch.setenv("RENDERINGS", str(settings.home / "renderings"))
    with connect(settings, "pipeline", autocommit=True) as conn:
        conn.execute(
            """
            create table marts.tenants (
                tenant_id text primary key, name text, timezone text, currency text, week_start text,
                as_of timestamptz, as_of_date date, complete_date date
            )
            """
        )
        made = Warehouse(settings, conn)
        made.add_build()
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "metricpress test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "certificate.pem", folder / "key.pem"


@dataclass
class MailServer:
    """The server's process and the mail it accepted."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    scheme: str

    def url(self, password: str = "open%3Asesame") -> str:
        return f"{self.scheme}://metricpress:{password}@127.0.0.1:{self.port}"

    def mails(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]

    def recipients(self) -> list[str]:
        """Every recipient of every accepted message, sorted, repeated where it was repeated."""
        return sorted(recipient for mail in self.mails() for recipient in mail["to"])

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(mail["content"].encode(), policy=default) for mail in self.mails()]

    def connections(self) -> int:
        log = self.folder / "connections"
        return len(log.read_text()) if log.exists() else 0

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)


StartServer = Callable[..., MailServer]


@pytest.fixture
def start_mail_server(certificate: tuple[Path, Path], tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers: `start_mail_server(security="starttls", port=0, *habits)`; see mail_server.py."""
    started: list[MailServer] = []

    def start(security: str = "starttls", port: int = 0, *habits: str) -> MailServer:
        folder = tmp_path / "mailbox"
        folder.mkdir(exist_ok=True)
        command = [HERE / "mail_server.py", folder, *certificate, security, port, *habits]
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stdout is not None
        scheme = "smtps" if security == "tls" else "smtp"
        server = MailServer(process, int(process.stdout.readline()), folder, scheme)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def mail_server(
    start_mail_server: StartServer,
    warehouse: Warehouse,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> MailServer:
    """A server with STARTTLS and login; the warehouse's settings point to it, its certificate is trusted."""
    server = start_mail_server()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    warehouse.settings = replace(
        warehouse.settings, smtp_url=server.url(), mail_from="Reports <reports@mp.example>"
    )
    return server


StartDispatcher = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_dispatcher(warehouse: Warehouse) -> Iterator[StartDispatcher]:
    """Starts dispatchers as processes: `start_dispatcher(now=NOON, wait_for=None)`."""
    started: list[subprocess.Popen[str]] = []

    def start(now: datetime = NOON, wait_for: Path | None = None) -> subprocess.Popen[str]:
        environment = os.environ | environment_for(warehouse.settings)
        process = subprocess.Popen(
            [
                sys.executable,
                str(HERE / "dispatcher.py"),
                now.isoformat(),
                *([str(wait_for)] if wait_for else []),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def environment_for(settings: Settings) -> Mapping[str, str]:
    return {
        "PYTHONPATH": str(PROJECT),
        "METRICPRESS_HOME": str(settings.home),
        "METRICPRESS_OUTPUT_DIR": str(settings.output_dir),
        "METRICPRESS_DATABASE_URL": settings.database_url or "",
        "METRICPRESS_SMTP_URL": settings.smtp_url or "",
        "METRICPRESS_MAIL_FROM": settings.mail_from,
        "METRICPRESS_RENDER_WORKERS": str(settings.render_workers),
        "METRICPRESS_SIGNING_KEY": ",".join(settings.signing_keys),
        "METRICPRESS_WEBHOOK_PRIVATE_HOSTS": ",".join(settings.webhook_private_hosts),
        "SLACK_BOT_TOKEN": settings.slack_bot_token or "",
        "SLACK_API_BASE": settings.slack_api_base,
    }


@dataclass
class WebServer:
    """The server's process and the requests it read; see web_server.py for what `behave` takes."""

    process: subprocess.Popen[str]
    port: int
    folder: Path

    def behave(self, name: str, *lines: str) -> None:
        (self.folder / "behave").mkdir(exist_ok=True)
        (self.folder / "behave" / name).write_text("\n".join(lines))

    def clear(self) -> None:
        for path in (*self.folder.glob("*.json"), *self.folder.glob("behave/*")):
            path.unlink()

    def requests(self, name: str | None = None) -> list[dict[str, Any]]:
        """What was read, in order; `body` as bytes."""
        paths = sorted(self.folder.glob("*.json"), key=lambda path: int(path.stem))
        read = [json.loads(path.read_text()) for path in paths]
        return [one | {"body": base64.b64decode(one["body"])} for one in read if name in (None, one["name"])]

    def taken(self, name: str) -> list[dict[str, Any]]:
        """The requests on which a receiver has acted."""
        return [request for request in self.requests(name) if request["taken"]]

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def start_web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., WebServer]]:
    """Starts servers on 127.0.0.1; with a certificate and its key they speak TLS."""
    started: list[WebServer] = []

    def start(*certificate: Path) -> WebServer:
        folder = tmp_path_factory.mktemp("web")
        process = subprocess.Popen(
            [sys.executable, *map(str, (HERE / "web_server.py", folder, *certificate))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        server = WebServer(process, int(process.stdout.readline()), folder)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()
        assert server.process.stdout is not None
        server.process.stdout.close()


@pytest.fixture(scope="session")
def shared_web_server(start_web_server: Callable[..., WebServer]) -> WebServer:
    return start_web_server()


@pytest.fixture
def web_server(shared_web_server: WebServer) -> WebServer:
    """A server without TLS that has read nothing and behaves well."""
    shared_web_server.clear()
    return shared_web_server


MakeParcel = Callable[..., Parcel]


@pytest.fixture
def make_parcel() -> MakeParcel:
    """A finished delivery without a ledger: `make_parcel("#general", is_late=True)`; others are fields."""

    def make(recipient: str, *, is_late: bool = False, is_notice: bool = False, **fields: Any) -> Parcel:
        about = About(
            tenant_id="gym", subscription_id="6f2f8f0e-0000-4000-8000-000000000001", subscription="daily",
            report="executive", period_start=date(2026, 11, 19), period_end=date(2026, 11, 19),
            due_at=NOON, is_late=is_late, data_version=None if is_notice else "build-7",
            figures="{}" if is_notice else '{"mrr": 12345.678901234567890123, "nrr": null}',
        )  # fmt: skip
        summary = Summary(
            title="Executive report: Iron & Steel <Gym>", period="Thursday, November 19, 2026",
            as_of="November 20, 2026, 05:00 (UTC)", against="the day before",
            lines=("MRR rose & churn fell.", "Two <new> customers."),
            highlights=(
                Highlight("MRR", "$12,346", "up 4.2%", "on target"),
                Highlight("Paying customers", "7", "", "off target"),
                Highlight("Net revenue retention", "—", "no customers before"),
            ),
        )  # fmt: skip
        pdf = Attachment("pdf", "gym_executive.pdf", "application/pdf", b"%PDF-1.7 \x00\xff", "/kept/g.pdf")
        given: dict[str, Any] = {
            "delivery_id": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
            "message_id": "<1b4e28ba@mp.example>",
            "recipient": recipient,
            "subject": "Executive report: gym, 2026-11-19",
            "text": "Data incomplete: <marts> end on 2026-11-18.\n",
            "html": "<p>x</p>",
            "attachments": () if is_notice else (pdf,),
            "about": about,
            "summary": None if is_notice else summary,
        }
        return Parcel(**{**given, **fields})

    return make
