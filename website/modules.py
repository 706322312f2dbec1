"""The pages of the Python reference: one a module, and one a package that lists its modules."""

import ast
from pathlib import Path

PACKAGES = {
    "features": "What training and serving compute alike: events, sessions, the feature spec, coding, images, gaze.",
    "example_generators": "Where to predict, and what the answer was.",
    "transforms": "Beam's steps, and the pure functions that they wire.",
    "pipelines": "One module a pipeline: its options and its composition.",
    "models": "The registry, the gates, and the three families of models.",
    "serving": "The service: collection, archive, fast store, predictions.",
    "augury": "The command, the simulator, the demo.",
}
FOLDER = "reference/python"


def modules(root: Path, package: str) -> dict[str, str]:
    """Returns the public modules of a package, dotted -> first line of what they say of themselves."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if any(part.startswith("_") for part in parts):
            continue
        said = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[".".join(parts)] = said.partition("\n")[0]
    return found


def package_page(package: str, about: dict[str, str]) -> str:
    """Returns the page of a package: a table of its modules, and links to their pages."""
    rows = [f"| [`{name}`]({package}/{name}.md) | {_cell(said)} |" for name, said in about.items()]
    return "\n".join([f"# {package}", "", PACKAGES[package], "", "| module | |", "|---|---|", *rows, ""])


def module_page(name: str) -> str:
    """Returns the page of a module, which mkdocstrings fills."""
    return f"# {name}\n\n::: {name}\n"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
