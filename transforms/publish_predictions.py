"""Ends a batch prediction: checks what was rejected, writes the card last, and puts the folder in its final place."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import orjson

from features.sessions import Window
from features.storage import list_files, open_filesystem
from transforms.publish import EmptyDatasetError, PublishOnce, check_bad_share
from transforms.score_visitors import WrittenPart
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge

PREDICTIONS_CARD = "predictions_card.json"


@dataclass(frozen=True)
class PredictionNotes:
    """What the card says of how predictions were made.

    Attributes:
        model: ``family/name``.
        version: that predicted.
        registry: where it is.
        sources: what was read.
        tombstones: folders of the tombstones that were honoured.
        created_us: when the job was launched.
        code_version: version of the code.
        max_bad_share: largest share of rows that may be rejected.
        dead_letter: folder of what was.
        emails: whether hashed e-mail addresses were looked for.
    """

    model: str
    version: str
    registry: str
    sources: tuple[str, ...]
    tombstones: tuple[str, ...]
    created_us: int
    code_version: str
    max_bad_share: float
    dead_letter: str
    emails: bool


class PublishPredictions(PublishOnce):
    """Pipeline -> the card, having put the staged folder in its final place.

    Args:
        written: what was written.
        tallies: of rows and events, and of visitors: two side inputs or more.
        window: singleton side input, ``Window``.
        notes: what the card adds.
        staging: where the files are and where they go; None where predictions go to a table.
    """

    def __init__(
        self,
        written: beam.PCollection,
        tallies: Sequence[Any],
        window: beam.pvalue.AsSingleton,
        notes: PredictionNotes,
        staging: Staging | None,
    ) -> None:
        inputs = (beam.pvalue.AsList(written), window, *(beam.pvalue.AsList(each) for each in tallies))
        super().__init__(_Publish(notes, staging), inputs, ())


class _Publish:
    def __init__(self, notes: PredictionNotes, staging: Staging | None) -> None:
        self._notes, self._staging = notes, staging

    def __call__(self, _: None, written: list[WrittenPart], window: Window, *tallies: list[Tally]) -> dict[str, Any]:
        tally = merge(each for some in tallies for each in some)
        check_bad_share(tally, self._notes, mend="the adapter")
        card = prediction_card(written, tally, window, self._notes)
        if not card["visitors"]:
            left_out = ", ".join(f"{reason} {n}" for reason, n in card["left_out"].items()) or "none"
            raise EmptyDatasetError(
                f"{', '.join(self._notes.sources)}: no visitor to score among {card['events']['read']} rows (visitors "
                f"left out: {left_out}); check the adapter, the window and store_days"
            )
        if self._staging is not None:
            _remove_others(written, self._staging)
            text = orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            self._staging.publish(PREDICTIONS_CARD, text)
        return card


def prediction_card(
    written: Iterable[WrittenPart], tally: Tally, window: Window, notes: PredictionNotes
) -> dict[str, Any]:
    """Returns what is known of a batch prediction, as JSON values."""
    parts = list(written)
    segments: Counter[str] = Counter()
    for part in parts:
        segments.update(part.segments)
    return {
        "model": notes.model,
        "version": notes.version,
        "registry": notes.registry,
        "created_by": f"augury {notes.code_version}",
        "created_us": notes.created_us,
        "window": {"start_us": window.start_us, "end_us": window.end_us},
        "sources": list(notes.sources),
        "tombstones": list(notes.tombstones),
        "emails": notes.emails,
        "visitors": sum(part.rows for part in parts),
        "segments": dict(segments.most_common()),
        "left_out": by_reason(tally, "left_out"),
        "events": {
            "read": tally.counts.get("read/rows", 0),
            "rejected": by_reason(tally, "rejected"),
            "dropped": by_reason(tally, "dropped"),
        },
    }


def _remove_others(written: Iterable[WrittenPart], staging: Staging) -> None:
    """Removes files that are of no part: those of an attempt with other parts."""
    names = {part.name for part in written}
    for path in list_files(f"{staging.work}/predictions-*"):
        if path.rsplit("/", 1)[-1] not in names:
            files, target = open_filesystem(path)
            files.rm_file(target)
