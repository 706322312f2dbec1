"""Ends an examples pipeline: checks the share of bad rows, writes the card, puts the data set in place."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import orjson
from google.protobuf import text_format

from features.errors import AuguryError
from features.sessions import Window
from features.spec import FeatureSpec
from features.splits import SPLITS, test_begins_us
from features.storage import atomic_write
from transforms.schema import dataset_schema
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge
from transforms.write_examples import ShardReport

CARD = "dataset_card.json"
"""The file that makes a folder a data set; written last."""


class BadRowsError(AuguryError, ValueError):
    """More rows were rejected than the job allows."""


class EmptyDatasetError(AuguryError, ValueError):
    """Nothing was left to make examples of."""


@dataclass(frozen=True)
class DatasetNotes:
    """What the card says of how a data set was made.

    Attributes:
        generator: name of the example generator.
        sources: what was read.
        code_version: version of the code.
        max_bad_share: largest share of rows that may be rejected.
        dead_letter: folder of the rejected rows.
    """

    generator: str
    sources: tuple[str, ...]
    code_version: str
    max_bad_share: float
    dead_letter: str


class PublishDataset(beam.PTransform):
    """Pipeline -> the dataset card, having put the staged data set in its final place.

    Args:
        reports: what the shards hold.
        tallies: side inputs, what reading and what cleaning counted.
        window: singleton side input, the window covered.
        spec: the feature spec, written beside the examples.
        notes: what the card adds.
        staging: where the files are and where they go.
    """

    def __init__(
        self,
        reports: beam.PCollection,
        tallies: tuple[beam.pvalue.AsList, beam.pvalue.AsList],
        window: beam.pvalue.AsSingleton,
        spec: FeatureSpec,
        notes: DatasetNotes,
        staging: Staging,
    ) -> None:
        super().__init__()
        self._inputs = (beam.pvalue.AsList(reports), *tallies, window)
        self._constants = (spec, notes, staging)

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        return (
            pipeline
            | "Once" >> beam.Create([None], reshuffle=False)
            | "WriteCard" >> beam.Map(_publish, *self._inputs, *self._constants)
        )


def _publish(
    _: None,
    reports: list[ShardReport],
    read: list[Tally],
    cleaned: list[Tally],
    window: Window,
    spec: FeatureSpec,
    notes: DatasetNotes,
    staging: Staging,
) -> dict[str, Any]:
    tally = merge([*read, *cleaned])
    check_bad_share(tally, notes)
    card = dataset_card(reports, tally, window, spec, notes)
    if not sum(split["examples"] for split in card["splits"].values()):
        raise EmptyDatasetError(
            f"{', '.join(notes.sources)}: {tally.counts.get('read/rows', 0)} rows read, "
            f"{tally.counts.get('kept/cleaned', 0)} events kept after cleaning, but no example was made; check the "
            f"adapter, the cleaning rules and whether generator {notes.generator!r} fits these events"
        )
    schema = text_format.MessageToString(dataset_schema(spec))
    atomic_write(f"{staging.work}/feature_spec.json", spec.to_json(), flush=not staging.staged)
    atomic_write(f"{staging.work}/schema.pbtxt", schema, flush=not staging.staged)
    staging.publish(CARD, orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return card


def check_bad_share(tally: Tally, notes: DatasetNotes) -> None:
    """Raises ``BadRowsError`` when more than ``max_bad_share`` of the rows were rejected."""
    rows = tally.counts.get("read/rows", 0)
    rejected = by_reason(tally, "rejected")
    share = sum(rejected.values()) / rows if rows else 0.0
    if share > notes.max_bad_share:
        reasons = ", ".join(f"{reason} {n}" for reason, n in rejected.items())
        raise BadRowsError(
            f"{sum(rejected.values())} of {rows} rows ({share:.1%}) were rejected ({reasons}); at most "
            f"{notes.max_bad_share:.1%} may be: look at them in {notes.dead_letter}, then mend the source or the "
            "mapping, or raise max_bad_share"
        )


def dataset_card(
    reports: Iterable[ShardReport], tally: Tally, window: Window, spec: FeatureSpec, notes: DatasetNotes
) -> dict[str, Any]:
    """Returns the dataset card: counts, label rate per split, drops by reason, window and fingerprint."""
    labels: dict[str, Counter[int]] = {split: Counter() for split in SPLITS}
    dropped, excluded = Counter(by_reason(tally, "dropped")), Counter[str]()
    sessions = visitors = 0
    for report in reports:
        for split in SPLITS:
            labels[split].update(report.labels[split])
        dropped.update(report.dropped)
        excluded.update(report.excluded)
        sessions += report.sessions
        visitors += report.visitors
    by_time = spec.split.by == "time"
    return {
        "fingerprint": spec.fingerprint,
        "generator": notes.generator,
        "sources": list(notes.sources),
        "created_by": f"augury {notes.code_version}",
        "window": {"start_us": window.start_us, "end_us": window.end_us},
        "test_begins_us": test_begins_us(spec.split, window) if by_time else None,
        "events": {
            "read": tally.counts.get("read/rows", 0),
            "rejected": by_reason(tally, "rejected"),
            "dropped": {reason: n for reason, n in sorted(dropped.items()) if n},
        },
        "sessions": sessions,
        "visitors": visitors,
        "splits": {split: _split_card(found) for split, found in labels.items()},
        "excluded": dict(sorted(excluded.items())),
    }


def _split_card(labels: Counter[int]) -> dict[str, Any]:
    total = labels.total()
    return {
        "examples": total,
        "labels": {str(label): n for label, n in sorted(labels.items())},
        "label_rates": {str(label): n / total for label, n in sorted(labels.items())},
    }
