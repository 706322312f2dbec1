#!/bin/sh
# Installs TensorFlow Data Validation into the environment $1 with uv ($2), from requirements/tfdv.txt. It needs Python 3.11.
# A machine that lacks one, or cannot fetch the packages, is told what is left out.
set -eu
cd "$(dirname "$0")/.."
environment=$1
uv=$2
usable='import sys; sys.exit(sys.version_info[:2] != (3, 11))'

without() {
    echo "left out: TensorFlow Data Validation, without which nothing is retrained: $1" >&2
    exit 0
}

found=
for candidate in ${PYTHON311:-} python3.11 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.11*/bin/python3.11 python3; do
    if "$candidate" -c "$usable" >/dev/null 2>&1; then
        found=$candidate
        break
    fi
done
[ -n "$found" ] || without "it needs Python 3.11; install it, or name it: make data-checks PYTHON311=PATH"

rm -rf "$environment"
{ "$uv" venv --quiet --python "$found" "$environment" &&
    "$uv" pip install --quiet --python "$environment/bin/python" --no-deps --compile-bytecode --only-binary :all: --require-hashes -r requirements/tfdv.txt; } ||
    without "its packages cannot be installed"
touch "$environment/.installed"
