#!/bin/sh
# Make the virtual environment from the pinned lock and install what PDF needs from the system.
# Does nothing, at once, when the lock has not changed since the last time. Called by `make setup`.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.metricpress-setup
seal=$(cat requirements.lock requirements-uv.lock pyproject.toml scripts/setup.sh | cksum)

stop() { # message, remedy
    printf 'error: %s\nremedy: %s\n' "$1" "$2" >&2
    exit 2
}

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    stop "no Python from 3.11 to 3.14 was found" "sudo apt-get install -y python3 python3-venv, or: make setup PYTHON=/path/to/python3"
}

# The libraries WeasyPrint opens; harfbuzz-subset makes pages 2.5 times faster. The tests read pages with pdftotext.
install_libraries() {
    missing=$("$venv/bin/python" - <<'PYTHON'
import ctypes
from ctypes.util import find_library

wanted = {
    "libpango-1.0-0": ("libpango-1.0.so.0", "pango-1.0"),
    "libpangoft2-1.0-0": ("libpangoft2-1.0.so.0", "pangoft2-1.0"),
    "libharfbuzz-subset0": ("libharfbuzz-subset.so.0", "harfbuzz-subset"),
}


def opens(names: tuple[str, ...]) -> bool:
    for name in (names[0], find_library(names[1])):
        try:
            if name:
                ctypes.CDLL(name)
                return True
        except OSError:
            continue
    return False


print(" ".join(package for package, names in wanted.items() if not opens(names)))
PYTHON
    )
    command -v pdftotext >/dev/null || missing="$missing poppler-utils"
    missing=${missing# }
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $missing ..."
        # shellcheck disable=SC2086  # a list of packages
        if { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
            { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; }; } \
            >"$venv/apt.log" 2>&1; then
            return 0
        fi
        echo "apt-get failed; see $venv/apt.log" >&2
    fi
    echo "PDF reports and their tests need packages that are missing. Type: sudo apt-get install -y $missing" >&2
}

install_packages() {
    quiet="--quiet --disable-pip-version-check"
    # shellcheck disable=SC2086  # a list of options
    if "$venv/bin/python" -m pip install $quiet --require-hashes -r requirements-uv.lock &&
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements.lock; then
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
    else
        echo "uv could not install the packages; pip does, which takes a minute longer." >&2
        # shellcheck disable=SC2086
        "$venv/bin/python" -m pip install $quiet --require-hashes -r requirements.lock
        # shellcheck disable=SC2086
        "$venv/bin/python" -m pip install $quiet --no-deps --no-build-isolation -e .
    fi
}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$seal" ] && [ -x "$venv/bin/metricpress" ]; then
    install_libraries
    exit 0
fi

python=$(find_python)
if ! "$venv/bin/python" -c '' 2>/dev/null; then
    echo "Making $venv with $("$python" --version) ..."
    rm -rf "$venv"
    "$python" -m venv "$venv" || stop "$python cannot make a virtual environment" "sudo apt-get install -y python3-venv"
fi
echo "Installing the pinned packages ..."
install_packages
install_libraries
printf '%s\n' "$seal" >"$stamp"
echo "Ready: $venv/bin/metricpress"
