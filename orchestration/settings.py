"""What an installation is told by its environment: one frozen `Settings`, read once by `Settings.from_env()`.

Belongs here: names, defaults and checks of environment variables. Does not belong here: settings of a tenant
(schema `reporting`, `metricpress config`) and anything that opens a connection or a file.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orchestration.errors import MetricpressError

DEFAULT_HOME = ".metricpress"
DATABASE_SCHEMES = ("postgresql", "postgres")
SMTP_SCHEMES = ("smtp", "smtps")
SLACK_WEBHOOK = "SLACK_WEBHOOK_"
MEGABYTE = 1_000_000
#: Postmark takes 10 MB, and no relay of docs/runbook.md less.
DEFAULT_MAIL_MEGABYTES = 10
#: A page of tables and charts takes 0.3 to 1.5 s, one with 1,000 rows of a table 16 s, and about 100 MB.
DEFAULT_TEMPLATE_SECONDS = 30
DEFAULT_TEMPLATE_MEGABYTES = 500
#: Below that a key can be guessed.
SHORTEST_KEY = 32
LONGEST_ACTOR = 100
#: Longer than a build takes that closes a night, shorter than people wait before they ask.
DEFAULT_ALERT_MINUTES = 30


@dataclass(frozen=True)
class Settings:
    """The environment of one installation; secrets are left out of `repr`."""

    home: Path
    output_dir: Path
    database_url: str | None = field(default=None, repr=False)
    bi_password: str | None = field(default=None, repr=False)
    template_dir: Path | None = None
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str = "metricpress@localhost"
    refresh_minutes: int = 5
    operator: str | None = None
    #: A report that is not out so long after it was due is told to the operator.
    alert_after: timedelta = timedelta(minutes=30)
    #: Where the operator's day begins and ends, for the daily summary.
    operator_timezone: str = "UTC"
    #: Who acts, beside the login of the database: the audit log names both.
    actor: str | None = None
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_api_base: str = "https://api.stripe.com"
    slack_bot_token: str | None = field(default=None, repr=False)
    slack_api_base: str = "https://slack.com/api/"
    #: Incoming webhooks of Slack by the name subscriptions use (SLACK_WEBHOOK_<NAME>, lower case).
    slack_webhooks: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Sign unsubscribe tokens and webhooks: the first signs, all verify.
    signing_keys: tuple[str, ...] = field(default=(), repr=False)
    unsubscribe_address: str | None = None
    #: Hosts and networks that webhooks may reach although they are private.
    webhook_private_hosts: tuple[str, ...] = ()
    mail_max_bytes: int = DEFAULT_MAIL_MEGABYTES * MEGABYTE
    #: What the rendering of a tenant's own template may take: wall-clock seconds, and megabytes of memory.
    template_seconds: int = DEFAULT_TEMPLATE_SECONDS
    template_megabytes: int = DEFAULT_TEMPLATE_MEGABYTES
    #: Processes that render for one dispatch; 1: it renders by itself.
    render_workers: int = 1
    #: Mail, Slack messages and webhooks are written to the outbox, whatever else is set: nothing goes out.
    outbox_only: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read and check the environment; an empty variable counts as unset.

        Raises MetricpressError naming the variable when a value cannot be used.
        """
        home = Path(_get(env, "METRICPRESS_HOME") or DEFAULT_HOME).expanduser().absolute()
        output_dir = _get(env, "METRICPRESS_OUTPUT_DIR")
        template_dir = _get(env, "METRICPRESS_TEMPLATE_DIR")
        return cls(
            home=home,
            output_dir=Path(output_dir).expanduser().absolute() if output_dir else home / "reports",
            database_url=_url(env, "METRICPRESS_DATABASE_URL", DATABASE_SCHEMES),
            bi_password=_get(env, "METRICPRESS_BI_PASSWORD"),
            template_dir=Path(template_dir).expanduser().absolute() if template_dir else None,
            smtp_url=_url(env, "METRICPRESS_SMTP_URL", SMTP_SCHEMES),
            mail_from=_get(env, "METRICPRESS_MAIL_FROM") or cls.mail_from,
            refresh_minutes=_whole(
                env, "METRICPRESS_REFRESH_MINUTES", cls.refresh_minutes, most=1440, unit="minutes"
            ),
            operator=_get(env, "METRICPRESS_OPERATOR"),
            alert_after=timedelta(
                minutes=_whole(
                    env, "METRICPRESS_ALERT_AFTER", DEFAULT_ALERT_MINUTES, most=1440, unit="minutes"
                )
            ),
            operator_timezone=_timezone(env, "METRICPRESS_OPERATOR_TIMEZONE", cls.operator_timezone),
            actor=_actor(env),
            stripe_api_key=_get(env, "STRIPE_API_KEY"),
            stripe_api_base=_get(env, "STRIPE_API_BASE") or cls.stripe_api_base,
            slack_bot_token=_get(env, "SLACK_BOT_TOKEN"),
            slack_api_base=_get(env, "SLACK_API_BASE") or cls.slack_api_base,
            slack_webhooks={
                name.removeprefix(SLACK_WEBHOOK).lower(): value.strip()
                for name, value in env.items()
                if name.startswith(SLACK_WEBHOOK) and value.strip()
            },
            signing_keys=_signing_keys(env),
            unsubscribe_address=_get(env, "METRICPRESS_UNSUBSCRIBE_ADDRESS"),
            webhook_private_hosts=_list(env, "METRICPRESS_WEBHOOK_PRIVATE_HOSTS"),
            mail_max_bytes=_whole(
                env, "METRICPRESS_MAIL_MAX_MB", DEFAULT_MAIL_MEGABYTES, most=1000, unit="megabytes"
            )
            * MEGABYTE,
            template_seconds=_template_seconds(env),
            template_megabytes=_template_megabytes(env),
            render_workers=_whole(
                env, "METRICPRESS_RENDER_WORKERS", len(os.sched_getaffinity(0)), most=64, unit="processes"
            ),
            outbox_only=_switch(env, "METRICPRESS_OUTBOX_ONLY"),
        )


def _template_seconds(env: Mapping[str, str]) -> int:
    return _whole(env, "METRICPRESS_TEMPLATE_SECONDS", DEFAULT_TEMPLATE_SECONDS, most=600, unit="seconds")


def _template_megabytes(env: Mapping[str, str]) -> int:
    name = "METRICPRESS_TEMPLATE_MEMORY_MB"
    return _whole(env, name, DEFAULT_TEMPLATE_MEGABYTES, most=16_000, unit="megabytes")


def _get(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name, "").strip() or None


def _actor(env: Mapping[str, str]) -> str | None:
    """METRICPRESS_ACTOR, else the user of the system, behind sudo the one who called it."""
    name = _get(env, "METRICPRESS_ACTOR") or _get(env, "SUDO_USER")
    if name is None:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a container's user without a name
            return None
    if not name.isprintable() or len(name) > LONGEST_ACTOR:
        raise MetricpressError(
            "METRICPRESS_ACTOR is no name", remedy=f"Give printable text of at most {LONGEST_ACTOR} letters."
        )
    return name


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    """The URL in variable `name`; its text may hold a password and is never repeated in an error."""
    value = _get(env, name)
    if value is None:
        return None
    remedy = f"Give it as {schemes[0]}://user:password@host:port" + (
        "/database." if "postgres" in schemes else "."
    )
    try:
        parts = urlsplit(value)
        usable = parts.scheme in schemes and bool(parts.hostname or parts.query)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise MetricpressError(f"{name} is not a URL that begins with {schemes[0]}://", remedy=remedy)
    return value


def _switch(env: Mapping[str, str], name: str) -> bool:
    value = _get(env, name) or "0"
    if value not in ("0", "1"):
        raise MetricpressError(f'{name} is "{value}"', remedy="Give 1 or 0.")
    return value == "1"


def _timezone(env: Mapping[str, str], name: str, default: str) -> str:
    """The name of an IANA time zone."""
    value = _get(env, name) or default
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MetricpressError(
            f'{name} is "{value}", no IANA time zone', remedy="Use a name such as Europe/Lisbon."
        ) from error
    return value


def _list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())


def _signing_keys(env: Mapping[str, str]) -> tuple[str, ...]:
    """METRICPRESS_SIGNING_KEY: one key, or several while they are changed, the newest first."""
    keys = _list(env, "METRICPRESS_SIGNING_KEY")
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise MetricpressError(
            f"METRICPRESS_SIGNING_KEY holds a key of less than {SHORTEST_KEY} characters",
            remedy="Make one with: openssl rand -hex 32",
        )
    return keys


def _whole(env: Mapping[str, str], name: str, default: int, *, most: int, unit: str) -> int:
    """A whole number from 1 to `most`."""
    value = _get(env, name)
    if value is None:
        return default
    if not value.isdigit() or not 1 <= int(value) <= most:
        raise MetricpressError(f'{name} is "{value}"', remedy=f"Give whole {unit} from 1 to {most}.")
    return int(value)
