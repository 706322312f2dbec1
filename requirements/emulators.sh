#!/bin/sh
# Installs the BigQuery emulator of the tests into the environment $1 with uv ($2), from requirements/emulators.txt.
# It needs Python 3.13. A machine that lacks one, or cannot fetch the packages, is told what is left out.
set -eu
cd "$(dirname "$0")/.."
. requirements/python.sh
environment=$1
uv=$2

without() {
    echo "left out: the tests against the BigQuery emulator (tests/cloud): $1" >&2
    exit 0
}

found=$(find_python 3.13 "${PYTHON313:-}") ||
    without "they need Python 3.13; install it, or name it: make test-cloud PYTHON313=PATH"

rm -rf "$environment"
{ "$uv" venv --quiet --python "$found" "$environment" &&
    "$uv" pip install --quiet --python "$environment/bin/python" --no-deps --require-hashes -r requirements/emulators.txt; } ||
    without "its packages cannot be installed"
# The emulator looks for DuckDB's extensions below its home; they are in packages of their own.
HOME=$PWD/$environment/home
export HOME
mkdir -p "$HOME"
"$environment/bin/python" - <<'END' || without "DuckDB's extensions cannot be installed"
from duckdb_extensions import import_extension

for name in ("ducklake", "icu", "httpfs", "avro", "spatial"):
    import_extension(name)
END
touch "$environment/.installed"
