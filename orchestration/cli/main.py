"""The command `metricpress`: a table of commands, each imported only when it is called.

Belongs here: which commands there are, and how an error ends a command. Does not belong here: what a command
does; that is a function of the domain which its module in this folder calls.

A module of this folder defines a function named after its command, or, for a command with subcommands, a
`typer.Typer()` called `app`. Heavy imports go inside the functions: `metricpress --help` takes less than half
a second. Results go to standard output, progress and remarks to standard error (console.py).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from orchestration.errors import EXIT_USAGE, MetricpressError

#: command -> (module, line of help)
COMMANDS = {
    "demo": ("orchestration.cli.demo", "Load the shipped data, build, and send the due reports to a folder."),
    "doctor": ("orchestration.cli.doctor", "Check what metricpress needs, and say how to mend it."),
    "migrate": ("orchestration.cli.migrate", "Bring the database to the newest schema."),
    "db": ("orchestration.cli.db", "Start, stop, look at or remove the embedded PostgreSQL."),
    "dsn": ("orchestration.cli.dsn", "Print the address a BI tool connects with."),
    "tenants": ("orchestration.cli.tenants", "Add, list or remove tenants."),
    "config": ("orchestration.cli.config", "Read and change settings and targets of a tenant."),
    "load": ("orchestration.cli.load", "Load files into a raw table."),
    "generate": ("orchestration.cli.generate", "Make data of any size from a seed."),
    "build": ("orchestration.cli.build", "Bring the marts up to date."),
    "backfill": ("orchestration.cli.build", "Build a range of days anew."),
    "summary": ("orchestration.cli.summary", "Show every metric over any range of days."),
    "restatements": ("orchestration.cli.restatements", "List published figures that later data changed."),
    "explain": ("orchestration.cli.explain", "Show what a figure is made of, down to the raw rows."),
    "quality": ("orchestration.cli.quality", "Tell which rows count, and which rule leaves out how many."),
    "subscriptions": ("orchestration.cli.subscriptions", "Order reports: add, edit, explain, keep in YAML."),
    "templates": ("orchestration.cli.templates", "Reports in a tenant's own form, kept in versions."),
    "suppressions": (
        "orchestration.cli.suppressions",
        "Say who may not be written to; unsubscribe.",
    ),
    "deliver": ("orchestration.cli.deliver", "Send what is due, one report now, or what failed again."),
    "deliveries": ("orchestration.cli.deliveries", "Tell what was sent to whom, and how it went."),
    "operator": ("orchestration.cli.operator", "Show what the operator is told: alerts, summary of a day."),
    "audit": ("orchestration.cli.audit", "Tell who changed, sent, exported or granted what."),
}
EXIT_FAULT = 70
#: SQLSTATEs of a table, schema or function that is missing.
NOT_THERE = ("42P01", "3F000", "42883", "42703")
EXIT_INTERRUPTED = 130


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is called, not to list it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        """The command, imported now; while help is shown, only its name and line of help."""
        if name not in COMMANDS:
            return None
        module_name, help_line = COMMANDS[name]
        if ctx.meta.get("metricpress.listing"):
            return TyperCommand(name, help=help_line)
        # What the audit log and pg_stat_activity show; arguments may hold what they should not.
        os.environ["PGAPPNAME"] = f"metricpress {name}"
        return load_command(name, module_name, help_line)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help without importing a single command."""
        ctx.meta["metricpress.listing"] = True
        super().format_help(ctx, formatter)


def load_command(name: str, module_name: str, help_line: str) -> Any:
    """Import a command: the function of that name in its module, or the module's Typer `app`."""
    module = import_module(module_name)
    function = getattr(module, name, None)
    if callable(function) and not isinstance(function, typer.Typer):
        command_app = new_app()
        command_app.command(name)(function)
    else:
        command_app = module.app
    command = get_command(command_app)
    command.name = name
    command.help = command.help or help_line
    return command


def new_app(**options: Any) -> typer.Typer:
    """A Typer app that leaves errors to `run` and installs no shell completion."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, **options)


app = new_app(cls=LazyGroup)


@app.callback()
def _metricpress() -> None:
    """Business metrics: raw rows to PostgreSQL marts, and to scheduled reports."""


def run() -> None:
    """Entry of the command: ends the process with an exit code and, on failure, a line and a remedy."""
    if Path(".env").is_file():
        from dotenv import load_dotenv

        load_dotenv(".env", override=False)
    try:
        app()
    except MetricpressError as error:
        fail(str(error), error.remedy, error.exit_code)
    except KeyboardInterrupt:
        fail("interrupted", "", EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader (head, less) has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAULT)
    except Exception as error:
        if os.environ.get("METRICPRESS_DEBUG"):
            raise
        _fail_unexpectedly(error)


def _fail_unexpectedly(error: Exception) -> None:
    """A refusal of the database as what it says; anything else as a fault of this program."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None and diagnosis.message_primary:
        detail = f" ({diagnosis.message_detail})" if diagnosis.message_detail else ""
        hint = (
            "" if diagnosis.sqlstate not in NOT_THERE else "Run: metricpress migrate, then metricpress build"
        )
        message = f"the database refused: {diagnosis.message_primary}{detail}"
        fail(message, hint or diagnosis.message_hint, EXIT_USAGE)
    fail(
        f"{type(error).__name__}: {error}",
        "This is a fault in metricpress. METRICPRESS_DEBUG=1 shows where it happened.",
        EXIT_FAULT,
    )


def fail(message: str, remedy: str, exit_code: int) -> None:
    """Print an error as one line, its remedy as another, and end the process."""
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)
    if remedy:
        print(f"remedy: {remedy}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    run()
