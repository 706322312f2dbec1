"""The cards that lie beside a version's model."""

import json
from pathlib import Path
from typing import Any

from features.errors import AuguryError
from features.storage import read_bytes


class ModelError(AuguryError, ValueError):
    """A version that cannot be served: damaged, or in need of what is not there."""


def read_json(path: Path) -> dict[str, Any]:
    """Returns the JSON object that a file of a version holds.

    Raises:
        ModelError: it holds none.
        StorageError: it is missing.
    """
    try:
        found = json.loads(read_bytes(path))
    except ValueError as e:
        raise ModelError(f"{path} is not JSON ({e}); open the version again, or train again") from e
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no JSON object; open the version again, or train again")
    return found
