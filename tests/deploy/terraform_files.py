"""Reads deploy/'s Terraform as data, without Terraform."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ROOTS = ("foundation", "site")
FOLDERS = sorted({path.parent for path in DEPLOY.rglob("*.tf")})
_AS_WRITTEN = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)


@dataclass(frozen=True)
class Block:
    """A block with two labels, as ``resource`` has, and where it stands."""

    folder: str
    type: str
    name: str
    body: dict[str, Any]

    @property
    def where(self) -> str:
        return f"{self.folder}: {self.type}.{self.name}"


@cache
def read(folder: Path) -> dict[str, list[Any]]:
    """Returns kind of block -> all of them in a folder's files."""
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            for kind, blocks in hcl2.load(file, serialization_options=_AS_WRITTEN).items():
                found.setdefault(kind, []).extend(blocks)
    return found


def blocks(kind: str = "resource", type_pattern: str = ".*") -> list[Block]:
    """Returns every block of a kind, of all folders, whose type matches."""
    found = []
    for folder in FOLDERS:
        for outer in read(folder).get(kind, []):
            for type_name, inner in outer.items():
                for name, body in inner.items():
                    if re.fullmatch(type_pattern, type_name):
                        found.append(Block(str(folder.relative_to(DEPLOY)), type_name, name, body))
    return found


def named(folder: str, kind: str) -> dict[str, dict[str, Any]]:
    """Returns name -> body of the blocks with one label: ``variable``, ``output``, ``module``."""
    return {name: body for outer in read(DEPLOY / folder).get(kind, []) for name, body in outer.items()}


def values_of(body: Any, key: str) -> Iterator[Any]:
    """Yields every value of a key, however deep it is."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(body, list):
        for item in body:
            yield from values_of(item, key)
