#!/bin/sh
# Checks and tests the browser library, and finds a Chromium for the tests of whole pages: `make collector`.
# What a machine lacks is said and left out; with CI=1 that is an error.
set -eu
cd "$(dirname "$0")"
cache=../.cache/collector
mkdir -p "$cache"

without() {
    echo "left out: $1" >&2
    [ -z "${CI:-}" ] || exit 1
}

if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || ! command -v npm >/dev/null; then
    without "the browser library's tests and those in Chromium: they need Node 20 or later with npm; install it"
    exit 0
fi

# Once for each lock file; a copy of it says which one is installed.
if [ ! -d node_modules ] || ! cmp -s package-lock.json "$cache/package-lock.json"; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json "$cache/package-lock.json"
fi

find_chromium() {
    command -v chromium || command -v chromium-browser || command -v google-chrome ||
        find ../.cache/playwright -type f \( -name chrome -o -name 'chrome-headless-shell' -o -name headless_shell \) 2>/dev/null | grep .
}

if ! find_chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release && command -v apt-get >/dev/null; then
        echo "installing Chromium from Debian" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || true
    fi
    if ! find_chromium >/dev/null; then
        echo "fetching Playwright's Chromium" >&2
        PLAYWRIGHT_BROWSERS_PATH="$PWD/../.cache/playwright" node node_modules/playwright-core/cli.js install --only-shell chromium >/dev/null || true
    fi
    find_chromium >/dev/null ||
        without "the tests in a real browser: there is no Chromium and none could be installed; install chromium"
fi

node_modules/.bin/tsc --noEmit
node_modules/.bin/vitest run
