"""Conversions of campaigns that never were, with the probability that was true of each.

Two simulations. ``paper``: every rate is 80 % for the variants brighter and rotated and 20 % for the others, so the
best that anybody can do is right 80 % of the time. ``campaigns``: rates also depend on the type of the campaign, the
industry, the brand and the gender, and on the variant differently by type of campaign and gender; the logit of each is
a sum of effects drawn from normal distributions.

Whatever is drawn depends on the seed and the names alone, so neither order nor sharding changes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.conversions import CONVERSION_SCHEMA, KEYS, SIMULATED, TRUTH
from features.creative_spec import COUNTS, CreativeSpec
from transforms.creative_work import Product

LIKELY, UNLIKELY = 0.8, 0.2
CONVERTING = ("brighter", "rotated")
"""What the paper's simulation lets convert."""

CAMPAIGN_TYPES = ("newsletter", "promotion", "launch", "reminder")
INDUSTRIES = ("fashion", "sport", "outdoor", "children")
BRANDS = ("Aster", "Birk", "Cedar", "Dahlia", "Elm", "Fern", "Ginkgo", "Hazel")
"""Brands of products whose catalogue names none."""
GENDERS = ("women", "men", "unisex")

_CAMPAIGNS = 40
_BASES = {"opened": -0.6, "clicked": -1.4, "abandoned": -0.4, "unsubscribed": -2.6}
_DEVIATIONS = {
    "variant": 0.5,
    "campaign_type": 0.5,
    "industry": 0.4,
    "brand": 0.6,
    "gender": 0.3,
    "variant in campaign_type": 0.3,
    "variant for gender": 0.2,
}


@dataclass(frozen=True)
class Simulation:
    """What is simulated.

    Attributes:
        kind: one of ``features.creative_names.SIMULATIONS``.
        seed: of all that is drawn.
        sends: messages with each variant of a product in each campaign.
        campaigns: campaigns that a product is in; ``paper`` has one.
    """

    kind: str
    seed: int = 0
    sends: int = 20
    campaigns: int = 4

    @property
    def told(self) -> str:
        """What the dataset card says of where the truth comes from."""
        if self.kind == "paper":
            return (
                f"every rate is {LIKELY} for variants made by {' or '.join(CONVERTING)} and {UNLIKELY} for all others, "
                f"whatever the photo shows; {self.sends} messages a variant"
            )
        return (
            "the logit of every rate is a base plus normal effects with standard deviations "
            f"{', '.join(f'{of} {deviation}' for of, deviation in _DEVIATIONS.items())}, whatever the photo shows; "
            f"{self.campaigns} campaigns a product, {self.sends} messages a variant and campaign; brand and gender are "
            "invented where the catalogue has none"
        )


def simulate_conversions(products: Sequence[Product], spec: CreativeSpec, simulation: Simulation) -> pa.RecordBatch:
    """Returns conversions of every variant of some products, in ``CONVERSION_SCHEMA`` and with columns of truth."""
    rows: list[tuple[str, ...]] = []
    truths: list[npt.NDArray[np.float64]] = []
    counts: list[npt.NDArray[np.int64]] = []
    for product in products:
        random = _random(simulation.seed, "product", product.product)
        about = _rows(product, spec, simulation, random)
        truth = np.array([_truth(row, spec, simulation) for row in about])  # (R, targets)
        rows += about
        truths.append(truth)
        counts.append(_counts(truth, spec, simulation.sends, random))
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(KEYS))]
    count = np.concatenate(counts) if counts else np.zeros((0, len(COUNTS)), np.int64)
    recorded = {"sent", *(name for target in spec.targets for name in (target.count, target.among))}
    for place, name in enumerate(COUNTS):
        columns.append(pa.array(count[:, place]) if name in recorded else pa.nulls(len(rows), pa.int64()))
    names = [f"{TRUTH}{target.name}" for target in spec.targets]
    found = np.concatenate(truths) if truths else np.zeros((0, len(names)))
    columns += [pa.array(found[:, place]) for place in range(len(names))]
    schema = pa.schema([*CONVERSION_SCHEMA, *(pa.field(name, pa.float64()) for name in names)])
    return pa.RecordBatch.from_arrays(columns, schema=schema.with_metadata({SIMULATED: simulation.kind.encode()}))


def _rows(
    product: Product, spec: CreativeSpec, simulation: Simulation, random: np.random.Generator
) -> list[tuple[str, ...]]:
    """Returns the keys of one product's rows, in the order of ``KEYS``."""
    if simulation.kind == "paper":
        campaigns = [("simulated-paper", "", "")]
        brand, gender = product.brand, product.gender
    else:
        chosen = np.sort(random.choice(_CAMPAIGNS, min(simulation.campaigns, _CAMPAIGNS), replace=False))
        campaigns = [_campaign(simulation.seed, int(number)) for number in chosen]
        brand = product.brand or BRANDS[random.integers(len(BRANDS))]
        gender = product.gender or GENDERS[random.integers(len(GENDERS))]
    return [
        (product.product, variant.name, *campaign, brand, gender, product.kind)
        for campaign in campaigns
        for variant in spec.variants
    ]


@lru_cache(maxsize=256)
def _campaign(seed: int, number: int) -> tuple[str, str, str]:
    random = _random(seed, "campaign", str(number))
    return (
        f"simulated-{number:02d}",
        CAMPAIGN_TYPES[random.integers(len(CAMPAIGN_TYPES))],
        INDUSTRIES[random.integers(len(INDUSTRIES))],
    )


def _truth(row: tuple[str, ...], spec: CreativeSpec, simulation: Simulation) -> list[float]:
    _, variant, _, campaign_type, industry, brand, gender, _ = row
    if simulation.kind == "paper":
        of = next(one.of for one in spec.variants if one.name == variant)
        return [LIKELY if of in CONVERTING else UNLIKELY] * len(spec.targets)
    found = []
    for target in spec.targets:
        effects = (
            ("variant", variant),
            ("campaign_type", campaign_type),
            ("industry", industry),
            ("brand", brand),
            ("gender", gender),
            ("variant in campaign_type", f"{variant}/{campaign_type}"),
            ("variant for gender", f"{variant}/{gender}"),
        )
        logit = _BASES[target.count] + sum(_effect(simulation.seed, target.name, *effect) for effect in effects)
        found.append(float(1 / (1 + np.exp(-logit))))
    return found


@lru_cache(maxsize=1 << 16)
def _effect(seed: int, target: str, of: str, name: str) -> float:
    return float(_random(seed, target, of, name).normal(0, _DEVIATIONS[of]))


def _counts(
    truth: npt.NDArray[np.float64], spec: CreativeSpec, sends: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draws counts, int64 (R, counts): each target binomial among what it is counted among."""
    found = {"sent": np.full(len(truth), sends, np.int64)}
    for place, target in sorted(enumerate(spec.targets), key=lambda item: COUNTS.index(item[1].count)):
        among = found.setdefault(target.among, found["sent"])
        found[target.count] = random.binomial(among, truth[:, place])
    nothing = np.zeros(len(truth), np.int64)
    return np.stack([found.get(name, nothing) for name in COUNTS], axis=1)


def _random(seed: int, *names: str) -> np.random.Generator:
    high, low = mmh3.hash64("/".join((str(seed), *names)), signed=False)
    return np.random.Generator(np.random.Philox(key=[high, low]))
