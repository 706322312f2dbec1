"""Ends a pipeline of examples of any family: checks what was rejected, writes the card, puts the data set in place."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import apache_beam as beam
import orjson

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD, FingerprintedSpec
from features.storage import atomic_write, explained, open_filesystem
from transforms.staging import Staging
from transforms.tally import Tally, by_reason


class BadRowsError(AuguryError, ValueError):
    """More rows were rejected than the job allows."""


class EmptyDatasetError(AuguryError, ValueError):
    """Nothing was left to make examples of."""


class RejectionLimit(Protocol):
    """What the notes of every family say of rejected rows."""

    @property
    def max_bad_share(self) -> float:
        """Largest share that may be rejected."""

    @property
    def dead_letter(self) -> str:
        """Folder of what was."""


class PublishOnce(beam.PTransform):
    """Pipeline -> the dataset card, having put the staged data set in its final place.

    Args:
        publish: called once, with None, what the side inputs hold, and the constants; returns the card.
        inputs: side inputs.
        constants: what is known before the pipeline runs.
    """

    def __init__(
        self, publish: Callable[..., dict[str, Any]], inputs: tuple[Any, ...], constants: tuple[Any, ...]
    ) -> None:
        super().__init__()
        self._publish, self._inputs, self._constants = publish, inputs, constants

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        return (
            pipeline
            | "Once" >> beam.Create([None], reshuffle=False)
            | "WriteCard" >> beam.Map(self._publish, *self._inputs, *self._constants)
        )


def check_bad_share(
    tally: Tally, limit: RejectionLimit, *, read: str = "rows", kind: str = "rejected", unit: str = "rows", mend: str
) -> None:
    """Refuses a job that rejected more than it may.

    Args:
        tally: what was counted.
        limit: how much may be, and where it is.
        read: reason of the kind ``read`` that counts the whole.
        kind: of what was rejected.
        unit: what is counted, for the message.
        mend: what to mend, for the message.

    Raises:
        BadRowsError: more than ``max_bad_share`` were rejected.
    """
    total, rejected = tally.counts.get(f"read/{read}", 0), by_reason(tally, kind)
    share = sum(rejected.values()) / total if total else 0.0
    if share > limit.max_bad_share:
        reasons = ", ".join(f"{reason} {n}" for reason, n in rejected.items())
        raise BadRowsError(
            f"{sum(rejected.values())} of {total} {unit} ({share:.1%}) were rejected ({reasons}); at most "
            f"{limit.max_bad_share:.1%} may be: look at them in {limit.dead_letter}, then mend {mend}, or raise "
            "max_bad_share"
        )


def publish_dataset(
    card: Mapping[str, Any],
    spec: FingerprintedSpec,
    staging: Staging,
    *,
    nothing: str,
    files: Mapping[str, str] | None = None,
) -> None:
    """Writes the spec, further files and, last, the card, and puts the data set in place.

    Args:
        card: with the number of ``examples`` of each of its ``splits``.
        spec: written beside the examples.
        staging: where the files are and where they go.
        nothing: the message where no split has an example.
        files: name -> text of further files.

    Raises:
        EmptyDatasetError: no split has an example.
    """
    if not sum(split["examples"] for split in card["splits"].values()):
        raise EmptyDatasetError(nothing)
    for name, text in {spec.file: spec.to_json(), **(files or {})}.items():
        atomic_write(f"{staging.work}/{name}", text, flush=not staging.staged)
    staging.publish(DATASET_CARD, orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def remove_spool(folder: str) -> None:
    """Removes a folder of spool files, if it is there.

    Raises:
        StorageError: it cannot be removed.
    """
    fs, target = open_filesystem(folder)
    with explained(folder, "write"):
        if fs.exists(target):
            fs.rm(target, recursive=True)
