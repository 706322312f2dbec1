"""The parts of a feature spec: what can be hashed, coded and split, and the default choice of it."""

import re
from dataclasses import dataclass
from typing import Literal

from features.bucketing import Coding, Linear, MinMax, OneHot, PowerLaw, Quantile
from features.strict import FeatureSpecError, number, one_of, texts, whole

URL_PARTS = ("host", "path", "segments", "query_keys", "campaign")
HASH_FIELDS = ("event", "type", *(f"{column}.{part}" for column in ("url", "referrer") for part in URL_PARTS))
"""The hash fields beside ``properties.<key>``."""

STEP_VALUES = ("dwell", "time_of_day", "day_of_week", "position")
"""The numbers that every step has, beside ``properties.<key>``."""

AGENT_VALUES = ("device", "browser", "os")
"""The strings that tell what a visitor looks at the site with."""

CATEGORIES = (*AGENT_VALUES, "referrer_kind", "campaign_medium")
"""The strings that every instance has."""

NUMBERS = ("visit_count", "event_count", "distinct_pages", "span")
"""The numbers that every instance has."""

REFERRER_KINDS = ("direct", "internal", "search", "social", "email", "campaign", "other")
"""What ``features.metadata.referrer_kind`` answers."""


def is_property(name: str) -> bool:
    """Says whether a field is ``properties.<key>``."""
    return name.startswith("properties.") and name != "properties."


@dataclass(frozen=True)
class HashSpec:
    """The hash buckets of a step.

    Attributes:
        size: number of buckets m.
        seed: of the hash, unsigned 32-bit.
        fields: what is hashed: ``HASH_FIELDS`` and ``properties.<key>``. A token is ``<field>=<value>``.
        max_tokens: most tokens of one field of one event; a longer list keeps its first distinct ones.
    """

    size: int = 1024
    seed: int = 0
    fields: tuple[str, ...] = (
        "event",
        "url.path",
        "url.segments",
        "url.query_keys",
        "url.campaign",
        "referrer.host",
    )
    max_tokens: int = 16

    def __post_init__(self) -> None:
        whole("hash.size", self.size, 2, 2**24)
        whole("hash.seed", self.seed, 0, 2**32 - 1)
        whole("hash.max_tokens", self.max_tokens, 1, 1024)
        object.__setattr__(self, "fields", texts("hash.fields", self.fields))
        if not self.fields:
            raise FeatureSpecError("hash.fields: no field to hash; name at least one, e.g. 'event'")
        for name in self.fields:
            if not is_property(name):
                one_of("hash.fields", name, (*HASH_FIELDS, "properties.<key>"))


@dataclass(frozen=True)
class Feature:
    """One named feature: a value of the step or the instance, and how it is coded.

    Attributes:
        name: lower-case letters, digits and ``_``; names the tensor.
        coding: buckets, vocabulary or range.
        of: the value coded; the name itself where empty.
    """

    name: str
    coding: Coding
    of: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise FeatureSpecError(
                f"feature name {self.name!r} is not possible; expected lower-case letters, digits, _"
            )
        object.__setattr__(self, "of", self.of or self.name)


@dataclass(frozen=True)
class SplitSpec:
    """Which split an example belongs to, as ``features.splits`` computes it.

    Attributes:
        by: "visitor" (hash of the visitor) or "time" (the last share of the window).
        validation: share of validation, 0 to 1.
        test: share of test, 0 to 1; train has the rest.
        seed: of the hash, unsigned 32-bit.
    """

    by: Literal["visitor", "time"] = "visitor"
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("split.by", self.by, ("visitor", "time"))
        whole("split.seed", self.seed, 0, 2**32 - 1)
        for name in ("validation", "test"):
            object.__setattr__(self, name, number(f"split.{name}", getattr(self, name)))
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            raise FeatureSpecError(
                f"split: validation {self.validation:g} and test {self.test:g} leave nothing to train on; "
                "expected shares of at least 0 whose sum is below 1"
            )


@dataclass(frozen=True)
class Tensor:
    """One feature of a ``tf.train.Example``.

    Attributes:
        kind: "varlen" (a list of any length) or "fixed" (exactly ``shape``).
        dtype: "int64", "float32" or "bytes".
        shape: of one example; ``(1,)`` for metadata, ``()`` for other fixed ones, ``(None,)`` for varlen.
        size: integers are 0 to ``size`` - 1; None where there is no such bound.
    """

    kind: Literal["varlen", "fixed"]
    dtype: Literal["int64", "float32", "bytes"]
    shape: tuple[int | None, ...]
    size: int | None = None


DAY_SECONDS = 86_400

DEFAULT_STEPS = (
    Feature("dwell", PowerLaw(step=5, linear_cutoff=60, nonlinear_cutoff=7 * DAY_SECONDS, nonlinear_bins=18)),
    Feature("time_of_day", Linear(low=0, step=1, bins=24)),
    Feature("day_of_week", Linear(low=0, step=1, bins=7)),
    Feature("position", PowerLaw(step=1, linear_cutoff=10, nonlinear_cutoff=40, nonlinear_bins=6)),
)

DEFAULT_METADATA = (
    Feature("device", OneHot(("desktop", "mobile", "tablet", "tv", "other"))),
    Feature(
        "browser",
        OneHot(
            (
                "Chrome",
                "Chrome Mobile",
                "Mobile Safari",
                "Safari",
                "Edge",
                "Firefox",
                "Firefox Mobile",
                "Samsung Internet",
                "Opera",
                "Opera Mobile",
                "Facebook",
                "Instagram",
            )
        ),
    ),
    Feature("os", OneHot(("Windows", "Mac OS X", "iOS", "Android", "Linux", "Ubuntu", "Chrome OS"))),
    Feature("referrer_kind", OneHot(REFERRER_KINDS)),
    Feature(
        "campaign_medium",
        OneHot(("cpc", "email", "social", "paid_social", "display", "affiliate", "referral", "organic", "push", "sms")),
    ),
    Feature("visit_count", PowerLaw(step=1, linear_cutoff=5, nonlinear_cutoff=40, nonlinear_bins=5)),
    Feature("event_count", PowerLaw(step=1, linear_cutoff=10, nonlinear_cutoff=40, nonlinear_bins=6)),
    Feature("distinct_pages", PowerLaw(step=1, linear_cutoff=10, nonlinear_cutoff=40, nonlinear_bins=6)),
    Feature("span", PowerLaw(step=60, linear_cutoff=1800, nonlinear_cutoff=30 * DAY_SECONDS, nonlinear_bins=16)),
)


def check_feature(place: str, feature: Feature) -> None:
    """Refuses a value that ``place`` ("steps" or "metadata") does not have, and a coding that does not fit it."""
    where = f"{place}.{feature.name}"
    if place == "steps":
        if not is_property(feature.of):
            one_of(f"{where}.of", feature.of, (*STEP_VALUES, "properties.<key>"))
        allowed: tuple[type[Coding], ...] = (Linear, PowerLaw, Quantile)
    else:
        one_of(f"{where}.of", feature.of, (*CATEGORIES, *NUMBERS))
        allowed = (OneHot,) if feature.of in CATEGORIES else (Linear, PowerLaw, Quantile, MinMax)
    one_of(f"{where}.coding", getattr(feature.coding, "kind", feature.coding), tuple(cls.kind for cls in allowed))
