"""Metadata of the Flex Templates, made from the pipelines' own options: ``make templates``.

The form is ``TemplateMetadata`` of https://cloud.google.com/dataflow/docs/reference/rest/v1b3/TemplateMetadata.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import orjson

from dataflow_templates.catalogue import LEFT_OUT, TEMPLATES, FlexTemplate
from features.storage import atomic_write
from pipelines.options import option_type

FOLDER = Path(__file__).resolve().parent / "metadata"

IMAGE_PARAMETER = {
    "name": "sdk_container_image",
    "label": "Image of the workers",
    "helpText": "Image that the workers run, which is the template's own.",
    "paramType": "TEXT",
    "isOptional": True,
    "regexes": [r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$"],
}
"""An option of Beam's, which every template takes besides the pipeline's own."""

# What an option is, beyond its type: the console and the service look at such a value before the job is launched.
KINDS = {
    "cleaning": "GCS_READ_FILE",
    "images": "GCS_READ_FOLDER",
    "registry": "GCS_READ_FOLDER",
    "sets": "GCS_READ_FILE",
    "spec": "GCS_READ_FILE",
    "subscription": "PUBSUB_SUBSCRIPTION",
    "tombstones": "GCS_READ_FOLDER",
    "topic": "PUBSUB_TOPIC",
}
WRITTEN = ("archive", "dead_letter", "output")
"""Options that say where is written: never on a worker's own disk, which goes with the worker."""

_REGEXES = {bool: "^(true|false)$", int: "^-?[0-9]+$", float: r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
_GS, _BQ, _TOPIC = r"gs://[^/]+(/.*)?", r"bq://[^.]+\.[^.]+\.[^.]+", "projects/[^/]+/topics/[^/]+"


def metadata(template: FlexTemplate) -> dict[str, Any]:
    """Returns a template's metadata, as JSON values."""
    parameters = [_parameter(entry, template) for entry in fields_of(template)]
    found: dict[str, Any] = {
        "name": template.title,
        "description": template.description,
        "parameters": [*parameters, IMAGE_PARAMETER],
    }
    if template.streaming:
        found |= {
            "streaming": True,
            "supportsAtLeastOnce": True,
            "supportsExactlyOnce": True,
            "defaultStreamingMode": "EXACTLY_ONCE",
        }
    return found


def fields_of(template: FlexTemplate) -> list[dataclasses.Field[Any]]:
    """Returns the options of a pipeline that its template takes; those that must be given come first."""
    entries = [entry for entry in dataclasses.fields(template.options) if entry.name not in LEFT_OUT]
    return sorted(entries, key=is_optional)


def text_of(template: FlexTemplate) -> bytes:
    """Returns the metadata file."""
    return orjson.dumps(metadata(template), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_text(value: Any) -> str:
    """Returns the value of an option as a template's parameter: always one text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        plain = not any("," in text or text.startswith("[") for text in value)
        return ",".join(value) if plain else orjson.dumps(value).decode()
    return str(value)


def is_optional(entry: dataclasses.Field[Any]) -> bool:
    """Says whether a template's parameter may be left out; a default that is a local path is none on Dataflow."""
    default = _default(entry)
    return default is not dataclasses.MISSING and not (isinstance(default, str) and _is_place(entry.name))


def _parameter(entry: dataclasses.Field[Any], template: FlexTemplate) -> dict[str, Any]:
    kind = option_type(get_type_hints(template.options)[entry.name])
    several = get_origin(kind) is tuple
    if several:
        kind = get_args(kind)[0]
    about = entry.metadata["help"]
    places = _places(entry.name, about)
    found: dict[str, Any] = {
        "name": entry.name,
        "label": entry.name.replace("_", " ").capitalize(),
        "helpText": f"{about}; several are joined by commas, or a JSON list" if several else about,
        "paramType": _kind(entry.name, kind, places),
        "isOptional": is_optional(entry),
    }
    if places:
        found["regexes"] = [f"^({'|'.join(places)})$"]
    elif kind in _REGEXES:
        found["regexes"] = [_REGEXES[kind]]
    default = _default(entry)
    if is_optional(entry) and default not in (None, ()):
        found["defaultValue"] = as_text(default)
    return found


def _kind(name: str, kind: Any, places: list[str]) -> str:
    if kind is bool:
        return "BOOLEAN"
    if name in KINDS:
        return KINDS[name]
    return "GCS_WRITE_FOLDER" if places == [_GS] else "TEXT"


def _places(name: str, about: str) -> list[str]:
    if name not in WRITTEN:
        return []
    return [_GS, *([_TOPIC] if "/topics/" in about else []), *([_BQ] if "bq://" in about else [])]


def _is_place(name: str) -> bool:
    return name in WRITTEN or KINDS.get(name, "").startswith("GCS")


def _default(entry: dataclasses.Field[Any]) -> Any:
    return entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()


def main() -> None:
    """Writes every metadata file, or says which is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    check = parser.parse_args().check
    texts = {f"{template.name}.json": text_of(template) for template in TEMPLATES}
    stale = [name for name, text in texts.items() if not _holds(FOLDER / name, text)]
    others = sorted({path.name for path in FOLDER.glob("*.json")} - texts.keys())
    if check and (stale or others):
        sys.exit(f"stale: {', '.join([*stale, *others])}; run make templates and commit what it wrote")
    for name in stale:
        atomic_write(FOLDER / name, texts[name])
    for name in others:
        (FOLDER / name).unlink()
    print(f"{len(texts)} templates; changed: {', '.join([*stale, *others]) or 'none'}")


def _holds(path: Path, text: bytes) -> bool:
    return path.exists() and path.read_bytes() == text


if __name__ == "__main__":
    main()
