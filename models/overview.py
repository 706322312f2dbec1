"""What people are shown of a version, by the command and by the console: read from the registry without opening it."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from models.gates import Thresholds
from models.manifest import Manifest
from models.registry import Champion, Registry, RegistryError

MODEL_CARD = "model_card.json"


def read_json_of(registry: Registry, manifest: Manifest, file: str, most_bytes: int | None = None) -> Mapping[str, Any]:
    """Returns a JSON object out of a version; empty where it has none, or one that is larger than ``most_bytes``.

    Raises:
        RegistryError: the file is not JSON.
        IntegrityError: it was changed.
    """
    record = manifest.files.get(file)
    if record is None or (most_bytes is not None and record.size > most_bytes):
        return {}
    content = registry.read_file(manifest, file)
    try:
        return mapping(json.loads(content))
    except ValueError as e:
        raise RegistryError(f"{file} of {manifest.version} is not JSON ({e}); publish the model again") from e


def mapping(found: object) -> Mapping[str, Any]:
    """Returns a JSON object as it is, and an empty one for anything else."""
    return found if isinstance(found, dict) else {}


def main_metrics(family: str) -> list[str]:
    """Returns the metrics that the gates of a family look at."""
    limits = Thresholds.of(family)
    return [*limits.at_least, *limits.at_most, *([limits.ece_metric] if limits.max_ece is not None else [])]


def standing(version: str, champion: Champion | None) -> tuple[str, ...]:
    """Returns what a version is to its model: champion, predecessor, pinned, being removed."""
    if champion is None:
        return ()
    marks = (
        ("champion", version == champion.version),
        ("predecessor", version in champion.predecessors[:1]),
        ("pinned", version in champion.pinned),
        ("being removed", version in champion.retired),
    )
    return tuple(mark for mark, holds in marks if holds)


def days_of(data: Mapping[str, Any]) -> str:
    """Returns the days, UTC, that the examples of a dataset card are of; "" where they have no time."""
    window = mapping(data.get("window"))
    first, end = window.get("start_us"), window.get("end_us")
    if not isinstance(first, int) or not isinstance(end, int):
        return ""
    edges = (first, max(first, end - 1))  # the end is the first microsecond that is not in it
    return " to ".join(datetime.fromtimestamp(edge // 1_000_000, UTC).strftime("%Y-%m-%d") for edge in edges)


def examples_of(data: Mapping[str, Any]) -> dict[str, int]:
    """Returns how many examples a dataset card tells of each split."""
    counts = {name: mapping(split).get("examples") for name, split in mapping(data.get("splits")).items()}
    return {name: count for name, count in counts.items() if isinstance(count, int)}


def lines_about(version: str, history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the lines of a history in which a version came or went."""
    return [line for line in history if version in (line["version"], line.get("replaced"))]
