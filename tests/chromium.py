"""The Chromium of tests in a real browser.

    from tests.chromium import chromium  # a fixture

What a machine lacks is said and left out; with CI set that is an error, so that nothing is left out unnoticed.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_CACHE = Path(__file__).resolve().parents[1] / ".cache" / "playwright"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PLAYWRIGHT = ("chrome", "chrome-headless-shell", "headless_shell")


def leave_out(what: str) -> NoReturn:
    """Skips a test; with CI set, fails it."""
    if os.environ.get("CI"):
        pytest.fail(f"with CI set nothing may be left out: {what}")
    pytest.skip(what)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium: an installed one, else the one that ``make collector`` fetched."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    for name in _PLAYWRIGHT:
        for path in sorted(_CACHE.rglob(name)):
            if path.is_file():
                return str(path)
    leave_out("tests in a real browser need Chromium; install it, or run: make collector")
