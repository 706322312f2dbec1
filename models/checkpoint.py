"""What the checkpoints of every family's training have in common: one file, replaced as a whole, that says whose it is.

A checkpoint is NumPy's .npz without pickles: arrays, and the rest of the state as JSON.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import AuguryError
from features.storage import list_files, open_atomic
from models.options import TrainingRun


class TrainingError(AuguryError, ValueError):
    """A training that cannot start, go on or end well."""


def check_new(output: str) -> None:
    """Refuses an output that is there already.

    Raises:
        TrainingError: it is.
        StorageError: it cannot be looked for.
    """
    if list_files(output):
        raise TrainingError(f"{output} exists already; choose another --output, or remove it")


class CheckpointFile:
    """The checkpoint of one training run; a family's own adds what is in it.

    Args:
        folder: local folder it lies in.
        identity: what must be equal for a training to go on from it, as text by name.
    """

    def __init__(self, folder: str, identity: Mapping[str, str]) -> None:
        self.path = Path(folder) / "checkpoint.npz"
        self.identity = dict(identity)

    def remove(self) -> None:
        """Removes the checkpoint; a finished training needs none."""
        self.path.unlink(missing_ok=True)

    def write(self, arrays: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Replaces the checkpoint by arrays and a JSON-able state.

        Raises:
            StorageError: full disk, permission.
        """
        text = json.dumps({**state, "identity": self.identity}).encode()
        with open_atomic(self.path) as file:
            np.savez(file, **arrays, state=np.frombuffer(text, np.uint8))

    @contextmanager
    def reading(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yields the arrays and the state, for the block to make something of.

        Raises:
            TrainingError: the checkpoint is unreadable, in the block too, or was made with other options or other
                examples.
        """
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as arrays:
                state = json.loads(arrays["state"].tobytes())
                self._check(state.pop("identity"))
                yield arrays, state
        except TrainingError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile, EOFError) as e:
            reason = " ".join(str(e).split())[:200]
            raise TrainingError(f"cannot read the checkpoint {self.path} ({reason}); train without --resume") from e

    def _check(self, found: Mapping[str, str]) -> None:
        for name in sorted(found.keys() | self.identity.keys()):
            if found.get(name) != self.identity.get(name):
                raise TrainingError(
                    f"the checkpoint {self.path} was made with {name} {found.get(name)}, now it is "
                    f"{self.identity.get(name)}; go back to that or train without --resume"
                )


def identity_of(options: TrainingRun, card: Mapping[str, Any]) -> dict[str, str]:
    """Returns what must be equal for a training to go on: the options that matter, and the examples' card."""
    kept = {name: str(value) for name, value in options.to_dict().items() if name not in options.irrelevant}
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()[:16]
    return {**kept, "dataset card": digest}
