#!/bin/sh
# Makes what the tests of engines need, below .cache: `make.sh prism`, `make.sh workers`, or both.
# What a machine lacks is said and left out; with REQUIRE=1 that is an error.
set -eu
cd "$(dirname "$0")/../.."
venv=${VENV:-.venv}

without() {
    echo "left out: $1" >&2
    [ -z "${REQUIRE:-}" ] || exit 1
}

# The version is Beam's own in pyproject.toml; a copy of it says which one is built.
make_prism() {
    version=$(sed -n 's/^  "apache-beam\[gcp\]==\(.*\)",$/v\1/p' pyproject.toml | head -1)
    [ -x .cache/bin/prism ] && [ "$(cat .cache/bin/prism.version 2>/dev/null)" = "$version" ] && return
    if ! command -v go >/dev/null; then
        without "the tests on Prism: Go is not there to build it; install Go 1.26 or later"
        return
    fi
    echo "building Prism $version, some two minutes" >&2
    mkdir -p .cache/bin
    if GOBIN="$PWD/.cache/bin" go install "github.com/apache/beam/sdks/v2/go/cmd/prism@$version" >.cache/prism.log 2>&1; then
        echo "$version" >.cache/bin/prism.version
    else
        tail -5 .cache/prism.log >&2
        without "the tests on Prism: it could not be built; .cache/prism.log has the whole of what Go said"
    fi
}

# Where wheels were hard-linked from a cache, this takes a second; a copy of the lock says what is installed.
make_workers() {
    env=.cache/workers
    python=$env/bin/python
    if ! cmp -s requirements/pipelines.txt "$env/requirements.txt"; then
        "$venv/bin/uv" venv --quiet --clear --python "$venv/bin/python" "$env"
        "$venv/bin/uv" pip install --quiet --python "$python" --no-deps --compile-bytecode --require-hashes -r requirements/pipelines.txt
        cp requirements/pipelines.txt "$env/requirements.txt"
    fi
    rm -rf .cache/wheel
    "$venv/bin/uv" build --quiet --wheel --no-build-isolation --python "$venv/bin/python" --out-dir .cache/wheel
    "$venv/bin/uv" pip install --quiet --python "$python" --no-deps --reinstall .cache/wheel/augury-*.whl
}

for what in ${*:-prism workers}; do
    "make_$what"
done
