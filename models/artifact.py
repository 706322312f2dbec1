"""The files of an artifact of any family: what opening one begins with, and how its texts are written."""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from features.errors import AuguryError
from features.fingerprinted import FingerprintedSpec
from features.storage import read_bytes, read_text

DESCRIPTION_FILE = "model.json"
"""The file of an artifact that says what the model takes, gives and was trained with."""

Spec = TypeVar("Spec", bound=FingerprintedSpec)


class PredictorError(AuguryError, ValueError):
    """An artifact that cannot be loaded, does not fit the spec in use, or an input that it cannot be asked."""


def read_description(
    folder: str | Path, spec_class: type[Spec], model_format: str, expected: Spec | None = None
) -> tuple[Spec, dict[str, Any]]:
    """Returns the spec of an artifact and the description of its model.

    Args:
        folder: of the artifact.
        spec_class: the family's spec.
        model_format: what the model must be, by its ``format``.
        expected: the spec in use, where it does not come from the artifact.

    Raises:
        FeatureSpecError: the spec is none, or was edited.
        PredictorError: the model is of another format, or of another spec than the artifact or the caller.
        StorageError: a file is missing.
    """
    spec = spec_class.from_json(read_text(f"{folder}/{spec_class.file}"))
    try:
        description = json.loads(read_bytes(f"{folder}/{DESCRIPTION_FILE}"))
        kind, fingerprint = description["format"], description["fingerprint"]
    except (ValueError, KeyError, TypeError) as e:
        raise PredictorError(
            f"{folder}/{DESCRIPTION_FILE} does not describe a model ({e!r}); open the version again, or train again"
        ) from e
    if kind != model_format:
        raise PredictorError(f"{folder}/{DESCRIPTION_FILE}: format is {kind!r}; expected {model_format!r}")
    others = [(DESCRIPTION_FILE, fingerprint), *([("the spec in use", expected.fingerprint)] if expected else [])]
    for name, other in others:
        if other != spec.fingerprint:
            raise PredictorError(
                f"{folder}: {spec.file} has fingerprint {spec.fingerprint[:12]}, {name} has {str(other)[:12]}; what "
                "the model is asked must be prepared by the spec that it was trained with"
            )
    return spec, dict(description)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON that people can read; NumPy's numbers are numbers, what is no number is refused.

    Raises:
        ValueError: NaN or infinity.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, default=_number) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8, whatever the machine's own encoding is."""
    path.write_text(text, encoding="utf-8")


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
