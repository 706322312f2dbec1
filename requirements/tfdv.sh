#!/bin/sh
# Installs TensorFlow Data Validation into the environment $1 with uv ($2), from requirements/tfdv.txt. It needs Python 3.11.
# A machine that lacks one, or cannot fetch the packages, is told what is left out.
set -eu
cd "$(dirname "$0")/.."
. requirements/python.sh
environment=$1
uv=$2

without() {
    echo "left out: TensorFlow Data Validation, without which nothing is retrained: $1" >&2
    exit 0
}

found=$(find_python 3.11 "${PYTHON311:-}") ||
    without "it needs Python 3.11; install it, or name it: make data-checks PYTHON311=PATH"

rm -rf "$environment"
{ "$uv" venv --quiet --python "$found" "$environment" &&
    "$uv" pip install --quiet --python "$environment/bin/python" --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/tfdv.txt; } ||
    without "its packages cannot be installed"
touch "$environment/.installed"
