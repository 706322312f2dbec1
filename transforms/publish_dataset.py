"""Ends an examples pipeline: checks the share of bad rows, writes the card, puts the data set in place."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from google.protobuf import text_format

from features.sessions import Window
from features.spec import FeatureSpec
from features.splits import SPLITS, test_begins_us
from transforms.publish import PublishOnce, check_bad_share, publish_dataset
from transforms.schema import dataset_schema
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge
from transforms.write_examples import ShardReport


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


class PublishDataset(PublishOnce):
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
        super().__init__(_publish, (beam.pvalue.AsList(reports), *tallies, window), (spec, notes, staging))


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
    check_bad_share(tally, notes, mend="the source or the mapping")
    card = dataset_card(reports, tally, window, spec, notes)
    dropped = ", ".join(f"{reason} {number}" for reason, number in by_reason(tally, "dropped").items())
    nothing = (
        f"{', '.join(notes.sources)}: {tally.counts.get('read/rows', 0)} rows read, "
        f"{tally.counts.get('kept/cleaned', 0)} events kept after cleaning{f' ({dropped})' if dropped else ''}, but no "
        "example was made; check the window, the adapter, the cleaning rules and whether generator "
        f"{notes.generator!r} fits these events"
    )
    if not tally.counts.get("read/rows", 0):
        nothing = f"{', '.join(notes.sources)}: no row was read; check what is in it, of a table the days and where="
    schema = text_format.MessageToString(dataset_schema(spec))
    publish_dataset(card, spec, staging, nothing=nothing, files={"schema.pbtxt": schema})
    return card


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
