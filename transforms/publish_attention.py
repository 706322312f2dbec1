"""Ends an attention-examples pipeline: checks what was rejected, writes the card, puts the data set in place."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from features.attention_spec import AttentionSpec
from features.splits import SPLITS
from transforms.attention_splits import ImageSplits
from transforms.image_sets import ImageLayout
from transforms.publish import PublishOnce, check_bad_share, publish_dataset, remove_spool
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge
from transforms.write_attention import AttentionReport

_MEND = "the source or what the sets file says of it"


@dataclass(frozen=True)
class AttentionNotes:
    """What the card says of how a data set was made.

    Attributes:
        sources: what was read.
        sets: what was said of each set.
        code_version: version of the code.
        max_bad_share: largest share of rows, and of images, that may be rejected.
        dead_letter: folder of what was.
        near_bits: most differing bits of near-duplicates.
    """

    sources: tuple[str, ...]
    sets: tuple[dict[str, Any], ...]
    code_version: str
    max_bad_share: float
    dead_letter: str
    near_bits: int | None


class PublishAttention(PublishOnce):
    """Pipeline -> the dataset card, having put the staged data set in its final place.

    Args:
        reports: what the shards hold.
        tallies: side input, what reading counted.
        splits: singleton side input, ``ImageSplits``.
        spec: written beside the examples.
        notes: what the card adds.
        layout: where the spool is, which goes.
        staging: where the files are and where they go.
    """

    def __init__(
        self,
        reports: beam.PCollection,
        tallies: beam.pvalue.AsList,
        splits: beam.pvalue.AsSingleton,
        spec: AttentionSpec,
        notes: AttentionNotes,
        layout: ImageLayout,
        staging: Staging,
    ) -> None:
        super().__init__(_publish, (beam.pvalue.AsList(reports), tallies, splits), (spec, notes, layout, staging))


def _publish(
    _: None,
    reports: list[AttentionReport],
    tallies: list[Tally],
    splits: ImageSplits,
    spec: AttentionSpec,
    notes: AttentionNotes,
    layout: ImageLayout,
    staging: Staging,
) -> dict[str, Any]:
    tally = merge(tallies)
    for what, read, unit in (("images", "images", "images"), ("gaze", "gaze_rows", "rows of gaze")):
        check_bad_share(tally, notes, read=read, kind=f"rejected_{what}", unit=unit, mend=_MEND)
    card = attention_card(reports, tally, splits, spec, notes)
    nothing = (
        f"{', '.join(notes.sources)}: {card['images']['read']} images and {card['gaze']['read']} rows of gaze "
        "read, but no example was made; check that the image names in the gaze files are those of the images"
    )
    remove_spool(layout.spool)
    publish_dataset(card, spec, staging, nothing=nothing)
    return card


def attention_card(
    reports: Iterable[AttentionReport],
    tally: Tally,
    splits: ImageSplits,
    spec: AttentionSpec,
    notes: AttentionNotes,
) -> dict[str, Any]:
    """Returns the dataset card: counts a split, set and method, what was left out and why, and the fingerprint."""
    total = AttentionReport()
    for report in reports:
        for name in ("examples", "fixations", "dropped", "excluded"):
            getattr(total, name).update(getattr(report, name))
    return {
        "fingerprint": spec.fingerprint,
        "sources": list(notes.sources),
        "sets": list(notes.sets),
        "created_by": f"augury {notes.code_version}",
        "images": {
            "read": tally.counts.get("read/images", 0),
            "masks": tally.counts.get("read/masks", 0),
            "rejected": by_reason(tally, "rejected_images"),
            "excluded": dict(sorted(total.excluded.items())),
        },
        "gaze": {
            "read": tally.counts.get("read/gaze_rows", 0),
            "rejected": by_reason(tally, "rejected_gaze"),
            "dropped": dict(sorted(total.dropped.items())),
        },
        "near_duplicates": {"most_bits": notes.near_bits, "groups": splits.groups, "images": splits.grouped},
        "splits": {split: _split_card(total, split) for split in SPLITS},
    }


def _split_card(total: AttentionReport, split: str) -> dict[str, Any]:
    sets, methods = Counter[str](), Counter[str]()
    for (where, name, method), n in total.examples.items():
        if where == split:
            sets[name] += n
            methods[method] += n
    return {
        "examples": sets.total(),
        "fixations": total.fixations[split],
        "sets": dict(sorted(sets.items())),
        "methods": dict(sorted(methods.items())),
    }
