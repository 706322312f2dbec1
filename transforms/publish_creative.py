"""Ends a creative-examples pipeline: checks what was rejected, writes the card, puts the data set in place."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from features.creative_spec import COUNTS, CreativeSpec
from features.splits import SPLITS
from transforms.creative_ceiling import told
from transforms.creative_splits import ProductSplits
from transforms.creative_work import CreativeLayout, CreativeReport, merge_reports
from transforms.make_variants import ANYHOW, SIMULATED_BY
from transforms.publish import PublishOnce, check_bad_share, publish_dataset, remove_spool
from transforms.simulate_conversions import Simulation
from transforms.staging import Staging
from transforms.tally import Tally, by_reason, merge


@dataclass(frozen=True)
class CreativeNotes:
    """What the card says of how a data set was made.

    Attributes:
        sources: what was read.
        code_version: version of the code.
        max_bad_share: largest share of photos, and of rows of conversions, that may be rejected.
        dead_letter: folder of what was.
        near_bits: most differing bits of near-duplicates.
        simulation: of the conversions, or None.
    """

    sources: tuple[str, ...]
    code_version: str
    max_bad_share: float
    dead_letter: str
    near_bits: int | None
    simulation: Simulation | None


class PublishCreative(PublishOnce):
    """Pipeline -> the dataset card, having put the staged data set in its final place.

    Args:
        reports: what the shards hold.
        tallies: side input, what reading counted.
        splits: singleton side input, ``ProductSplits``.
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
        spec: CreativeSpec,
        notes: CreativeNotes,
        layout: CreativeLayout,
        staging: Staging,
    ) -> None:
        super().__init__(_publish, (beam.pvalue.AsList(reports), tallies, splits), (spec, notes, layout, staging))


def _publish(
    _: None,
    reports: list[CreativeReport],
    tallies: list[Tally],
    splits: ProductSplits,
    spec: CreativeSpec,
    notes: CreativeNotes,
    layout: CreativeLayout,
    staging: Staging,
) -> dict[str, Any]:
    summed = [Tally({f"rejected_conversions/{reason}": n for reason, n in one.rejected.items()}) for one in reports]
    tally = merge([*tallies, *summed])
    check_bad_share(
        tally, notes, read="photos", kind="rejected_photos", unit="photos", mend="the catalogue or its photos"
    )
    check_bad_share(
        tally,
        notes,
        read="conversions",
        kind="rejected_conversions",
        unit="rows of conversions",
        mend="the table or the names of its columns",
    )
    card = creative_card(reports, tally, splits, spec, notes)
    remove_spool(layout.spool)
    nothing = f"{', '.join(notes.sources)}: {card['photos']['read']} photos read, but no example was made"
    publish_dataset(card, spec, staging, nothing=nothing)
    return card


def creative_card(
    reports: Iterable[CreativeReport],
    tally: Tally,
    splits: ProductSplits,
    spec: CreativeSpec,
    notes: CreativeNotes,
) -> dict[str, Any]:
    """Returns the dataset card: counts a split, what was left out and why, whether conversions were simulated."""
    total = merge_reports(reports)
    return {
        "fingerprint": spec.fingerprint,
        "sources": list(notes.sources),
        "created_by": f"augury {notes.code_version}",
        "simulated": _simulated(total, tally, notes),
        "photos": {
            "read": tally.counts.get("read/photos", 0),
            "rejected": by_reason(tally, "rejected_photos"),
            "left_out": by_reason(tally, "left_out"),
        },
        "conversions": {
            "read": tally.counts.get("read/conversions", 0),
            "rejected": by_reason(tally, "rejected_conversions"),
        },
        "near_duplicates": {"most_bits": notes.near_bits, "groups": splits.groups, "products": splits.grouped},
        "variants": list(spec.variant_names),
        "splits": {split: _split_card(total, split) for split in SPLITS},
    }


def _simulated(total: CreativeReport, tally: Tally, notes: CreativeNotes) -> Any:
    """Returns False, or what the conversions were simulated by and the best that can be done on them."""
    read = sorted(by_reason(tally, SIMULATED_BY))
    if notes.simulation is None and not read:
        return False
    ceiling: dict[str, dict[str, Any]] = {}
    for (split, target), sums in sorted(total.ceiling.items()):
        if sums[0]:
            ceiling.setdefault(split, {})[target] = told(sums)
    if notes.simulation is None:
        how, truth = ",".join(read), "read with the conversions"
        return {"how": how if read != [ANYHOW] else "columns of truth were given", "truth": truth, "ceiling": ceiling}
    made = notes.simulation
    return {"how": made.kind, "seed": made.seed, "truth": made.told, "ceiling": ceiling}


def _split_card(total: CreativeReport, split: str) -> dict[str, Any]:
    variants, kinds = Counter[str](), Counter[str]()
    for (where, name), n in total.examples.items():
        if where == split:
            variants[name] += n
    for (where, name), n in total.kinds.items():
        if where == split:
            kinds[name] += n
    return {
        "examples": variants.total(),
        "products": total.products[split],
        "variants": dict(sorted(variants.items())),
        "kinds": dict(sorted(kinds.items())),
        "conversions": {name: total.conversions[split, name] for name in ("rows", *COUNTS)},
    }
