"""Writes the pages that are made of the code itself, for MkDocs to find: ``python -m website.pages``.

It runs in the project's environment, which can import the service and the command; MkDocs runs in one of its own.
"""

import shutil
from pathlib import Path

import orjson

from benchmarks.report import read_results
from serving.app import create_app
from serving.settings import Settings
from website.commands import commands_page
from website.figures import figures_page
from website.openapi import http_page

MADE = Path(__file__).resolve().parents[1] / ".cache" / "pages"


def pages() -> dict[str, str]:
    """Returns path on the site -> content of every page and file that is made."""
    settings = Settings(write_keys=("any",), admin_keys=("other",), _env_file=None)  # no setting changes the document
    document = create_app(settings).openapi()
    return {
        "reference/http.md": http_page(document),
        "reference/openapi.json": orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(),
        "reference/commands.md": commands_page(),
        "reference/figures.md": figures_page(read_results()),
    }


def main() -> None:
    """Replaces the folder of made pages."""
    made = pages()
    shutil.rmtree(MADE, ignore_errors=True)
    for name, text in made.items():
        path = MADE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
