"""What MkDocs asks while it builds the site (``mkdocs.yml`` names this file).

Pages that are not in docs/ join it: those at the root of the repository, the Python reference, and what
``python -m website.pages`` has written. Links out of docs/ are made links within the site; files that they lead to
come along.
"""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from website.links import BrokenLinkError, deepen_lists, rewrite_links, slug
from website.modules import FOLDER, PACKAGES, module_page, modules, package_page

ROOT = Path(__file__).resolve().parents[1]
MADE = ROOT / ".cache" / "pages"
# Documents at the root of the repository, and where they are on the site.
DOCUMENTS = {
    "README.md": "project/readme.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
}
# Folders that a page may link to, and the pages that speak of them.
FOLDERS = {
    "docs": "index.md",
    "benchmarks": "reference/figures.md",
    **{package: f"{FOLDER}/{package}.md" for package in PACKAGES},
}
REPOSITORY = "repository"  # where files come that are linked to and are no pages

_files: Files | None = None


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Makes the anchors of headings those of the repository browser."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages and files that are not in docs/."""
    global _files
    _files = files
    for name, page in DOCUMENTS.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    for package in PACKAGES:
        about = modules(ROOT, package)
        files.append(File.generated(config, f"{FOLDER}/{package}.md", content=package_page(package, about)))
        for name in about:
            files.append(File.generated(config, f"{FOLDER}/{package}/{name}.md", content=module_page(name)))
    if not (made := [path for path in sorted(MADE.rglob("*")) if path.is_file()]):
        raise PluginError(f"{MADE} holds no pages; expected those of `python -m website.pages`: run `make docs`")
    for path in made:
        files.append(File.generated(config, str(path.relative_to(MADE)), content=path.read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Makes a page's links hold on the site."""
    source = {there: name for name, there in DOCUMENTS.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    try:
        text = rewrite_links(markdown, source, page.file.src_uri, lambda path: _place(path, config))
    except BrokenLinkError as e:
        raise PluginError(str(e)) from e
    return deepen_lists(text)


def _place(path: str, config: MkDocsConfig) -> str | None:
    """Returns where on the site a path of the repository is; a file that is not there yet comes along."""
    assert _files is not None
    name = path.removeprefix("docs/")
    if name != path and name in _files.src_uris:
        return name
    if path in DOCUMENTS or path in FOLDERS:
        return DOCUMENTS.get(path) or FOLDERS[path]
    if path == ".." or path.startswith("../") or not (ROOT / path).is_file():
        return None
    there = f"{REPOSITORY}/{path}"
    if there not in _files.src_uris:
        _files.append(File.generated(config, there, abs_src_path=str(ROOT / path)))
    return there
