"""Chooses the predictions that can be judged and says whose each is now; what is left out is counted by its reason."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.identities import Identities
from features.recent_rules import RESERVED_PREFIX
from features.sessions import VISITOR
from features.tombstones import FORGOTTEN, Tombstones
from transforms.tally import TALLY, Tally, count

CHOSEN_COLUMNS = (
    "asked",
    "prediction_id",
    "time_us",
    "version",
    "known",
    "probability",
    "predicted",
)
"""What is carried of a prediction besides ``visitor``."""

OTHER_MODEL, OUTSIDE, OF_EVENTS = "other_model", "outside_the_days", "asked_for_events"
VERSION_GONE, OTHER_CLASSES = "version_not_in_registry", "other_number_of_classes"


@dataclass(frozen=True)
class PredictionRules:
    """Which predictions are judged.

    Attributes:
        model: name of the model.
        classes: version -> how many classes it has; of every version that can be judged.
        unusable: version -> why the others cannot.
        start_us: predictions since; None for all.
        end_us: predictions before; None for all.
        tombstones: who is forgotten.
    """

    model: str
    classes: Mapping[str, int]
    unusable: Mapping[str, str] = field(default_factory=dict)
    start_us: int | None = None
    end_us: int | None = None
    tombstones: Tombstones = field(default_factory=Tombstones)


class ChoosePredictions(beam.PTransform):
    """``RecordBatch`` in ``LOGGED_SCHEMA`` -> (``RecordBatch`` of ``visitor`` and ``CHOSEN_COLUMNS``; ``Tally``).

    Args:
        rules: which are judged.
        identities: singleton side input, ``Identities``; None where logins link nobody.
    """

    def __init__(self, rules: PredictionRules, identities: beam.pvalue.AsSingleton | None) -> None:
        super().__init__()
        self._choose, self._inputs = _Choose(rules), () if identities is None else (identities,)

    def expand(self, logged: beam.PCollection) -> Any:
        return logged | "ChooseRows" >> beam.ParDo(self._choose, *self._inputs).with_outputs(TALLY, main="predictions")


class _Choose(beam.DoFn):
    def __init__(self, rules: PredictionRules) -> None:
        self._rules = rules

    def process(
        self, element: pa.RecordBatch, identities: Identities | None = None
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        chosen, left_out = choose_predictions(element, self._rules, identities or Identities())
        span = pc.min_max(chosen.column("time_us")).as_py()
        counts = {**count("left_out", left_out), **count("kept", {"predictions": chosen.num_rows})}
        yield beam.pvalue.TaggedOutput(TALLY, Tally(counts, span["min"], span["max"]))
        if chosen.num_rows:
            yield chosen


def choose_predictions(
    logged: pa.RecordBatch, rules: PredictionRules, identities: Identities
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Returns the predictions to judge, and how many others were left out, by reason.

    Args:
        logged: (N,) in ``LOGGED_SCHEMA``.
        rules: which are judged.
        identities: who the name that was asked about is now; of a shared device, who it was at that time.
    """
    time_us = logged.column("time_us").to_numpy()
    versions = logged.column("version").dictionary_encode()
    names = versions.dictionary.to_pylist()
    of = versions.indices.to_numpy()
    why = np.array([*(rules.unusable.get(name, VERSION_GONE) for name in names), ""], object)[of]
    usable = np.array([*(name in rules.classes for name in names), False], np.bool_)[of]
    classes = np.array([*(rules.classes.get(name, 0) for name in names), 0], np.int64)[of]
    logged_classes = logged.column("classes").to_numpy()
    outside = np.zeros(len(logged), np.bool_)
    if rules.start_us is not None:
        outside |= time_us < rules.start_us
    if rules.end_us is not None:
        outside |= time_us >= rules.end_us

    reasons = np.select(
        [
            pc.not_equal(logged.column("model"), rules.model).to_numpy(False),
            outside,
            pc.fill_null(pc.equal(logged.column("asked_by"), "events"), False).to_numpy(False),
            time_us <= rules.tombstones.until(logged.column(VISITOR)),
            ~usable,
            (logged_classes != 0) & (logged_classes != classes),
        ],
        [OTHER_MODEL, OUTSIDE, OF_EVENTS, FORGOTTEN, why, OTHER_CLASSES],
        default="",
    ).astype(object)
    keep = reasons == ""
    chosen = logged.filter(pa.array(keep, pa.bool_()))
    columns = {VISITOR: owners(chosen, identities), "asked": chosen.column(VISITOR)}
    columns |= {name: chosen.column(name) for name in CHOSEN_COLUMNS if name not in columns}
    left_out: Counter[str] = Counter(reasons[~keep].tolist())
    return pa.RecordBatch.from_pydict(columns), dict(left_out)


def owners(logged: pa.RecordBatch, identities: Identities) -> pa.DictionaryArray:
    """Returns who each name that was asked about (N,) is, dictionary-encoded."""
    asked = logged.column(VISITOR)
    users: npt.NDArray[np.bool_] = pc.starts_with(asked, RESERVED_PREFIX).to_numpy(False)
    named = pc.if_else(
        pa.array(users), pc.utf8_slice_codeunits(asked, len(RESERVED_PREFIX)), pa.scalar(None, pa.string())
    )
    # as events of that name at that moment: whoever these would belong to
    return identities.of_events(
        pa.RecordBatch.from_pydict(
            {
                "anonymous_id": asked,
                "user_id": named,
                "timestamp_us": logged.column("time_us"),
                "received_at_us": logged.column("time_us"),
            }
        )
    )
