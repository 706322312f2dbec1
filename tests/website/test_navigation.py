"""Every page is in the navigation once, and what the navigation names is there; no site is built for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from website.modules import FOLDER, PACKAGES, modules, package_page

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
MADE = {"reference/http.md", "reference/commands.md", "reference/figures.md"}


def _named(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for value in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else []:
        yield from _named(value)


def _documents() -> dict[str, str]:
    """Returns the hook's table of documents; the hook itself needs MkDocs, which has an environment of its own."""
    source = (ROOT / "website" / "hooks.py").read_text()
    table = source.partition("DOCUMENTS = ")[2].partition("}\n")[0]
    return eval(table + "}")


def test_every_page_is_in_the_navigation() -> None:
    """A new guide needs a line in mkdocs.yml."""
    named = list(_named(CONFIG["nav"]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(pages - set(named)) == []
    assert sorted(named) == sorted(set(named))


def test_what_the_navigation_names_is_there() -> None:
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    packages = {f"{FOLDER}/{package}.md" for package in PACKAGES}
    documents = _documents()
    assert set(_named(CONFIG["nav"])) - pages - packages - MADE <= set(documents.values())
    assert all((ROOT / name).is_file() for name in documents)


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert CONFIG["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css"} & CONFIG.keys()


def test_every_public_module_has_a_page_and_a_sentence() -> None:
    for package in PACKAGES:
        about = modules(ROOT, package)
        assert [name for name, said in about.items() if not said] == []
        page = package_page(package, about)
        assert all(f"]({package}/{name}.md)" in page for name in about)
    assert "features.storage" in modules(ROOT, "features")
    assert not [name for name in modules(ROOT, "augury") if "._" in name]
