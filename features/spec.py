"""FeatureSpec: how an instance becomes numbers; one contract for those who write, read and serve examples."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import orjson

from features.bucketing import CODINGS, Coding, MinMax
from features.events import EVENT_SCHEMA
from features.fields import (
    AGENT_VALUES,
    DAY_SECONDS,
    DEFAULT_METADATA,
    DEFAULT_STEPS,
    Feature,
    HashSpec,
    SplitSpec,
    Tensor,
    check_feature,
)
from features.fingerprinted import FingerprintedSpec
from features.sessions import SessionRules
from features.strict import FeatureSpecError, known_keys, number, one_of, texts, whole

__all__ = [
    "DEFAULT_METADATA",
    "DEFAULT_STEPS",
    "Feature",
    "FeatureSpec",
    "FeatureSpecError",
    "HashSpec",
    "SplitSpec",
    "Tensor",
]

VERSION = 1
"""Raised when the same spec would give other numbers than before, so that old artifacts are refused."""

_COLUMNS_OF = {
    "referrer_kind": ("url", "referrer"),
    "campaign_medium": ("url",),
    "distinct_pages": ("url",),
}


@dataclass(frozen=True)
class FeatureSpec(FingerprintedSpec):
    """Everything that decides the numbers of an example. ``FeatureSpec()`` is the default and needs no fitting.

    Attributes:
        sequence_length: most steps of an instance: its last visible events.
        hash: the hash buckets of a step.
        steps: bucketed numbers of a step, of ``STEP_VALUES`` or ``properties.<key>``.
        metadata: features of the instance, of ``CATEGORIES`` (one-hot) and ``NUMBERS`` (buckets or min-max).
        agent_from: the column that device, browser and os are read from: "user_agent", or "context" for sources that
            parse it themselves and keep no user agent, such as GA4.
        visit_gap_seconds: inactivity that begins another visit, for ``visit_count``.
        utc_offset_seconds: of the site's clock, for time of day and day of week.
        hides: names of events that no instance sees.
        begins_after: names of events that no instance reaches back beyond: it begins after the last of them.
        stats: names of the stats that every example carries.
        classes: number of classes.
        generator: name of the example generator.
        generator_params: its parameters, as JSON.
        split: which split an example belongs to.
        session_rules: how events become sessions.
        version: of the way features are computed.
    """

    sequence_length: int = 40
    hash: HashSpec = field(default_factory=HashSpec)
    steps: tuple[Feature, ...] = DEFAULT_STEPS
    metadata: tuple[Feature, ...] = DEFAULT_METADATA
    agent_from: Literal["user_agent", "context"] = "user_agent"
    visit_gap_seconds: float = 1800.0
    utc_offset_seconds: int = 0
    hides: tuple[str, ...] = ()
    begins_after: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    classes: int = 2
    generator: str = ""
    generator_params: Mapping[str, Any] = field(default_factory=dict)
    split: SplitSpec = field(default_factory=SplitSpec)
    session_rules: SessionRules = field(default_factory=SessionRules)
    version: int = VERSION

    what = "feature spec"
    file = "feature_spec.json"
    code_version = VERSION

    def __post_init__(self) -> None:
        self.check_version(self.version)
        whole("sequence_length", self.sequence_length, 1, 10_000)
        whole("classes", self.classes, 2, 10_000)
        one_of("agent_from", self.agent_from, ("user_agent", "context"))
        whole("utc_offset_seconds", self.utc_offset_seconds, -DAY_SECONDS, DAY_SECONDS)
        object.__setattr__(self, "visit_gap_seconds", number("visit_gap_seconds", self.visit_gap_seconds, above=0))
        for name in ("hides", "begins_after"):
            object.__setattr__(self, name, tuple(sorted(texts(name, getattr(self, name)))))
        object.__setattr__(self, "stats", texts("stats", self.stats))
        if not isinstance(self.generator, str):
            raise FeatureSpecError(f"generator: {self.generator!r} is not possible; expected a name")
        object.__setattr__(self, "generator_params", _as_json("generator_params", self.generator_params))
        _check_session_rules(self.session_rules)
        for place, features in (("steps", self.steps), ("metadata", self.metadata)):
            object.__setattr__(self, place, tuple(features))
            texts(f"{place} names", [feature.name for feature in features])
            for feature in features:
                check_feature(place, feature)

    __hash__ = FingerprintedSpec.__hash__

    @property
    def needs_fitting(self) -> bool:
        """True while a feature waits for edges or a vocabulary from a sample (``features.fitting``)."""
        return not all(feature.coding.fitted for feature in (*self.steps, *self.metadata))

    def required_columns(self) -> tuple[str, ...]:
        """Returns the columns of ``EVENT_SCHEMA`` that sessions and coder read, in its order."""
        wanted = {"timestamp_us", "message_id", "event", "type"}
        for name in (*self.hash.fields, *(feature.of for feature in self.steps)):
            if "." in name:
                wanted.add(name.partition(".")[0])
        for feature in self.metadata:
            wanted.update((self.agent_from,) if feature.of in AGENT_VALUES else _COLUMNS_OF.get(feature.of, ()))
        return tuple(name for name in EVENT_SCHEMA.names if name in wanted)

    @property
    def golden_columns(self) -> tuple[str, ...]:
        """The columns that an event of the golden set keeps: those required, and whose event it is."""
        wanted = {*self.required_columns(), "anonymous_id"}
        return tuple(name for name in EVENT_SCHEMA.names if name in wanted)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the features of an example by name."""
        found = {
            "hash/values": Tensor("varlen", "int64", (None,), self.hash.size),
            "hash/lengths": Tensor("varlen", "int64", (None,)),
        }
        for feature in self.steps:
            found[f"step/{feature.name}"] = Tensor("varlen", "int64", (None,), _size(feature.coding))
        for feature in self.metadata:
            size = _size(feature.coding)
            found[f"metadata/{feature.name}"] = Tensor("fixed", "int64" if size else "float32", (1,), size)
        found["label"] = Tensor("fixed", "int64", (), self.classes)
        found["time_us"] = Tensor("fixed", "int64", ())
        found["visitor"] = Tensor("fixed", "bytes", ())
        found["example_id"] = Tensor("fixed", "bytes", ())
        for name in self.stats:
            found[f"stats/{name}"] = Tensor("fixed", "float32", ())
        return found

    def parsing_spec(self, tf: Any) -> dict[str, Any]:
        """Returns what ``tf.io.parse_example`` needs: ragged tensors for varlen features, dense ones for fixed.

        Args:
            tf: the ``tensorflow`` module, handed in so that features/ never imports it.
        """
        dtypes = {"int64": tf.int64, "float32": tf.float32, "bytes": tf.string}
        return {
            name: tf.io.RaggedFeature(dtypes[tensor.dtype], row_splits_dtype=tf.int64)
            if tensor.kind == "varlen"
            else tf.io.FixedLenFeature(tensor.shape, dtypes[tensor.dtype])
            for name, tensor in self.tensors().items()
        }

    def plain(self) -> dict[str, Any]:
        """Returns what JSON holds."""
        plain = super().plain()
        for name in ("hash", "split", "session_rules"):
            plain[name] = asdict(plain[name])
        if not self.begins_after:  # specs written before there was this key keep their fingerprint
            del plain["begins_after"]
        for name in ("steps", "metadata"):
            plain[name] = [
                {"name": item.name, "of": item.of, "coding": {"kind": item.coding.kind, **asdict(item.coding)}}
                for item in plain[name]
            ]
        return plain

    @classmethod
    def fields_of(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the class of what JSON held."""
        keys = dict(given)
        for name, part in (("hash", HashSpec), ("split", SplitSpec), ("session_rules", SessionRules)):
            if name in keys:
                keys[name] = part(**known_keys(part, keys[name], name))
        for name in ("steps", "metadata"):
            if name in keys:
                keys[name] = _features(name, keys[name])
        return keys


def _features(place: str, given: object) -> tuple[Feature, ...]:
    if not isinstance(given, list):
        raise FeatureSpecError(f"{place}: {given!r} is not possible; expected a list of features")
    found = []
    for item in given:
        keys = known_keys(Feature, item, place)
        where, coding = f"{place}.{keys['name']}.coding", keys["coding"]
        kind: Any = coding.get("kind") if isinstance(coding, dict) else coding
        one_of(f"{where}.kind", kind, tuple(CODINGS))
        cls = CODINGS[kind]
        found.append(Feature(**{**keys, "coding": cls(**known_keys(cls, coding, where, extra=("kind",)))}))
    return tuple(found)


def _check_session_rules(rules: SessionRules) -> None:
    if rules.gap_seconds is not None:
        number("session_rules.gap_seconds", rules.gap_seconds, above=0)
    if rules.max_events is not None:
        whole("session_rules.max_events", rules.max_events, 1)


def _as_json(where: str, value: object) -> object:
    """Returns what JSON would give back, so that a spec equals its own round trip."""
    try:
        plain = orjson.loads(orjson.dumps(value))
    except TypeError as e:
        raise FeatureSpecError(f"{where}: {value!r} cannot be written as JSON ({e})") from e
    if not isinstance(plain, dict):
        raise FeatureSpecError(f"{where}: {value!r} is not possible; expected an object")
    return plain


def _size(coding: Coding) -> int | None:
    return None if isinstance(coding, MinMax) else coding.size
