"""Ends the joining of predictions with what followed: checks it, writes the card last, and puts the folder in place."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
import orjson

from features.sessions import Window
from transforms.publish import EmptyDatasetError, PublishOnce, check_bad_share
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge
from transforms.write_outcomes import WrittenOutcomes

OUTCOMES_CARD = "outcomes_card.json"


@dataclass(frozen=True)
class OutcomeNotes:
    """What the card says of how predictions were judged.

    Attributes:
        model: name of the model.
        registry: that says how its versions are judged.
        versions: version -> its generator and the fingerprint of its spec.
        unusable: version -> why its predictions cannot be judged.
        events: what was read of events.
        predictions: what was read of the log.
        tombstones: folders of the tombstones that were honoured.
        settle_days: how long after a week's end its answers count as in.
        created_us: when the job was launched.
        code_version: version of the code.
        max_bad_share: largest share of rows that may be rejected.
        dead_letter: folder of what was.
    """

    model: str
    registry: str
    versions: Mapping[str, Mapping[str, Any]]
    unusable: Mapping[str, str]
    events: tuple[str, ...]
    predictions: tuple[str, ...]
    tombstones: tuple[str, ...]
    settle_days: float
    created_us: int
    code_version: str
    max_bad_share: float
    dead_letter: str


class PublishOutcomes(PublishOnce):
    """Pipeline -> the card, having put the staged folder in its final place.

    Args:
        written: ``WrittenOutcomes`` of every shard.
        events: tallies of rows and events: side inputs.
        predictions: tallies of rows of the log and of predictions: side inputs.
        window: singleton side input, ``Window`` of the events.
        notes: what the card adds.
        staging: where the files are and where they go.
    """

    def __init__(
        self,
        written: beam.PCollection,
        events: tuple[Any, Any],
        predictions: tuple[Any, Any],
        window: beam.pvalue.AsSingleton,
        notes: OutcomeNotes,
        staging: Staging,
    ) -> None:
        tallies = tuple(beam.pvalue.AsList(each) for each in (*events, *predictions))
        super().__init__(_Publish(notes, staging), (beam.pvalue.AsList(written), window, *tallies), ())


class _Publish:
    def __init__(self, notes: OutcomeNotes, staging: Staging) -> None:
        self._notes, self._staging = notes, staging

    def __call__(
        self,
        _: None,
        written: list[WrittenOutcomes],
        window: Window,
        read: list[Tally],
        cleaned: list[Tally],
        logged: list[Tally],
        chosen: list[Tally],
    ) -> dict[str, Any]:
        events, predictions = merge([*read, *cleaned]), merge([*logged, *chosen])
        check_bad_share(events, self._notes, mend="the adapter")
        check_bad_share(predictions, self._notes, unit="rows of the prediction log", mend="whatever writes the log")
        card = outcomes_card(written, events, predictions, window, self._notes)
        if not card["predictions"]["judged"]:
            left_out = ", ".join(f"{why} {n}" for why, n in card["predictions"]["left_out"].items()) or "none"
            raise EmptyDatasetError(
                f"{', '.join(self._notes.predictions)}: no prediction of {self._notes.model} to judge among "
                f"{card['predictions']['read']} rows (left out: {left_out}); check the model, the days and the registry"
            )
        if window.end_us <= card["predictions"]["start_us"]:
            raise EmptyDatasetError(
                f"{', '.join(self._notes.events)}: the events end before the first prediction, so it is not known what "
                "followed; read later events"
            )
        text = orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        self._staging.publish(OUTCOMES_CARD, text)
        return card


def outcomes_card(
    written: Iterable[WrittenOutcomes], events: Tally, predictions: Tally, window: Window, notes: OutcomeNotes
) -> dict[str, Any]:
    """Returns what is known of the joining, as JSON values."""
    parts = list(written)
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.statuses)
    about = asdict(notes)
    return {
        "model": about["model"],
        "registry": about["registry"],
        "created_by": f"augury {notes.code_version}",
        "created_us": notes.created_us,
        "versions": about["versions"],
        "unusable_versions": about["unusable"],
        "settle_days": notes.settle_days,
        "window": {"start_us": window.start_us, "end_us": window.end_us},
        "tombstones": list(notes.tombstones),
        "predictions": {
            "sources": list(notes.predictions),
            "read": predictions.counts.get("read/rows", 0),
            "rejected": by_reason(predictions, "rejected"),
            "left_out": by_reason(predictions, "left_out"),
            "judged": sum(part.rows for part in parts),
            "statuses": dict(statuses.most_common()),
            "start_us": predictions.start_us,
            "end_us": predictions.end_us,
        },
        "events": {
            "sources": list(notes.events),
            "read": events.counts.get("read/rows", 0),
            "rejected": by_reason(events, "rejected"),
            "dropped": by_reason(events, "dropped"),
        },
        "files": sorted(part.name for part in parts if part.name),
    }
