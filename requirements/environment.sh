#!/bin/sh
# Makes the virtual environment $1 with the first Python 3.11 or 3.12 that has venv and pip ($PYTHON before all others).
# An environment that is there already is kept.
set -eu
usable='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))'

if [ -x "$1/bin/python" ]; then
    if "$1/bin/python" -c "$usable" 2>/dev/null; then
        "$1/bin/python" -m pip --version >/dev/null 2>&1 || "$1/bin/python" -m ensurepip >/dev/null
        exit 0
    fi
    echo "$1 holds no usable Python 3.11 or 3.12; remove it (make clean) and try again" >&2
    exit 1
fi

for candidate in ${PYTHON:-} python3.11 python3.12 python3 python; do
    # A name on the path may be a shim that fails: ask it, do not trust it.
    if "$candidate" -c "$usable" >/dev/null 2>&1; then
        echo "making $1 with $("$candidate" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
        exec "$candidate" -m venv "$1"
    fi
done
echo "no Python 3.11 or 3.12 with venv found; install one (Debian, Ubuntu: apt install python3.11-venv; macOS: brew install python@3.11) or name it: make PYTHON=PATH ..." >&2
exit 1
