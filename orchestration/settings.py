"""What an installation is told by its environment: one frozen `Settings`, read once by `Settings.from_env()`.

Belongs here: names, defaults and checks of environment variables. Does not belong here: settings of a tenant
(schema `reporting`, `metricpress config`) and anything that opens a connection or a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.errors import MetricpressError

DEFAULT_HOME = ".metricpress"
DATABASE_SCHEMES = ("postgresql", "postgres")
SMTP_SCHEMES = ("smtp", "smtps")


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
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_api_base: str = "https://api.stripe.com"
    slack_bot_token: str | None = field(default=None, repr=False)

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
            refresh_minutes=_minutes(env, "METRICPRESS_REFRESH_MINUTES", cls.refresh_minutes),
            operator=_get(env, "METRICPRESS_OPERATOR"),
            stripe_api_key=_get(env, "STRIPE_API_KEY"),
            stripe_api_base=_get(env, "STRIPE_API_BASE") or cls.stripe_api_base,
            slack_bot_token=_get(env, "SLACK_BOT_TOKEN"),
        )


def _get(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name, "").strip() or None


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


def _minutes(env: Mapping[str, str], name: str, default: int) -> int:
    value = _get(env, name)
    if value is None:
        return default
    if not value.isdigit() or not 1 <= int(value) <= 1440:
        raise MetricpressError(f'{name} is "{value}"', remedy="Give whole minutes from 1 to 1440.")
    return int(value)
