"""Direction of imports, import of every command, and what must stay out of files that are shared."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from orchestration.cli.main import COMMANDS, load_command

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted((PROJECT / "orchestration").rglob("*.py"))
#: The only places that may import dagster.
DAGSTER_PLACES = ("orchestration.defs", "orchestration.build", "orchestration.definitions")
#: Package -> packages of orchestration it may import, itself and errors, settings aside.
ALLOWED: dict[str, set[str]] = {
    "warehouse": set(),
    "sources": {"warehouse"},
    "marts": {"warehouse"},
    "figures": {"warehouse"},
    "reports": {"figures", "warehouse"},
    "delivery": {"reports", "warehouse"},
    "alerts": {"delivery", "reports", "warehouse"},
}
BASE = {"errors", "settings"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Full names of all modules a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_only_defs_know_dagster(path: Path) -> None:
    if module_name(path).startswith(DAGSTER_PLACES):
        return
    assert not {name for name in imported(path) if name.partition(".")[0].startswith("dagster")}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_direction_of_imports(path: Path) -> None:
    parts = module_name(path).split(".")
    package = parts[1] if len(parts) > 1 else ""
    own = {name.split(".")[1] for name in imported(path) if name.startswith("orchestration.")}
    if package in BASE:
        assert own <= {"errors"}
    elif package in ALLOWED:
        assert own <= ALLOWED[package] | BASE | {package}
    else:  # cli, defs, demo and the assembly stand on top
        assert package == "cli" or "cli" not in own, "nothing imports the command line"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_relative_imports_are_not_used(path: Path) -> None:
    relative = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_imported(command: str) -> None:
    module, help_line = COMMANDS[command]
    assert load_command(command, module, help_line).name == command


def test_every_module_of_the_command_line_can_be_imported() -> None:
    for path in (PROJECT / "orchestration" / "cli").glob("*.py"):
        import_module(module_name(path))


#: Packages that cost tenths of a second or more to import; help needs none of them.
HEAVY = {
    "alembic",
    "babel",
    "dagster",
    "dbt",
    "jinja2",
    "numpy",
    "pandas",
    "psycopg",
    "pyarrow",
    "sqlalchemy",
}


def test_help_takes_less_than_half_a_second() -> None:
    """Counted in seconds of the processor, so that a busy machine does not fail it; best of five."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "orchestration.cli.main", "--help"]
        subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from orchestration.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    assert "Usage" in answer.stdout
    assert not HEAVY & set(answer.stderr.split())


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-uv.lock", "pyproject.toml"])
def test_no_index_address_in_the_dependencies(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links)\b", text, re.MULTILINE)


def test_every_locked_package_has_hashes() -> None:
    lock = (PROJECT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    unpinned = [
        block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block or "==" not in block
    ]
    assert not unpinned
