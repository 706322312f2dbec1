"""The site, built strictly, as `make docs` does: no broken link, no page left out, nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MKDOCS = ROOT / ".cache" / "docs" / "bin" / "python"
NEEDED = pytest.mark.skipif(
    not MKDOCS.exists() and not os.environ.get("CI"), reason="MkDocs has an environment of its own: run `make docs`"
)


class _Loaded(HTMLParser):
    """Gathers what a page loads, as a browser would when it opens the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "embed", "audio", "video"):
            self.found.add(given.get("src") or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "preconnect", "dns-prefetch"):
            self.found.add(given.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    build = [str(MKDOCS), "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    for command in ([sys.executable, "-m", "website.pages"], build):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@NEEDED
def test_it_is_built_without_a_warning(site: Path) -> None:
    for page in ("index", "tutorials/behavior", "cli", "reference/http", "reference/commands", "reference/figures"):
        assert (site / f"{page}.html").is_file()
    assert "Visitors" in (site / "reference" / "http.html").read_text()
    assert (site / "repository" / "examples" / "retailrocket.toml").read_text().startswith("#")


@NEEDED
def test_docstrings_are_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "python" / "models" / "models.registry.html").read_text()
    assert 'id="models.registry.Registry.publish"' in page


@NEEDED
def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    elsewhere = {}
    for path in site.rglob("*.html"):
        page = _Loaded()
        page.feed(path.read_text())
        if found := [address for address in page.found if re.match(r"(?:[a-z]+:)?//", address)]:
            elsewhere[path.name] = found
    assert elsewhere == {}


@NEEDED
def test_nested_lists_and_anchors_are_as_in_the_repository(site: Path) -> None:
    changes = (site / "project" / "changelog.html").read_text()
    assert re.search(r"<li>[^<]*Behaviour, end to end.*?<ul>\s*<li>", changes, re.DOTALL)
    assert 'id="publish-history-compare-promote-rollback-verify"' in (site / "cli.html").read_text()
