"""One version of a model, loaded to answer: its coder, its frozen graph, and what it says of those it knows nothing of.

TensorFlow is imported here alone, and only when a model is loaded.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.checks import DEFAULT_NAMES
from features.coding import FeatureCoder
from features.recent_events import RecentRules
from features.spec import FeatureSpec
from features.storage import StorageError, read_text
from models.behavior.segments import edges_around, segment_of
from models.cards import ModelError, read_json

FAMILY = "behavior"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A version ready to answer; safe to use from several threads.

    Attributes:
        name: of the model.
        version: of the model.
        spec: how instances are coded.
        columns: event columns that coding reads.
        coder: for ``spec``.
        predictor: ``models.behavior.predictor.Predictor``.
        base_rates: float32 (C,) the share of each class among the training examples.
        segment_edges: for each class, the four probabilities that part the segments.
        card: the model card.
        loaded_at_us: when.
    """

    name: str
    version: str
    spec: FeatureSpec
    columns: tuple[str, ...]
    coder: FeatureCoder
    predictor: Any
    base_rates: Floats
    segment_edges: tuple[tuple[float, ...], ...]
    card: Mapping[str, Any]
    loaded_at_us: int

    @property
    def base_rate(self) -> float:
        """The share of class 1 among the training examples; of more than two classes, of the most frequent."""
        return self.headline(self.base_rates)[0]

    def described(self) -> dict[str, Any]:
        """See ``serving.models.Loaded``."""
        return {
            "generator": self.spec.generator,
            "classes": self.spec.classes,
            "sequence_length": self.spec.sequence_length,
            "hides": list(self.spec.hides),
            "begins_after": list(self.spec.begins_after),
            "base_rates": self.base_rates.astype(float).tolist(),
            "segment_edges": [list(edges) for edges in self.segment_edges],
            "metrics": dict(self.card.get("metrics") or {}),
        }

    def headline(self, probabilities: Floats) -> tuple[float, str]:
        """Returns the probability that the answer leads with, and its segment.

        It is that of class 1 of two; of more, that of the likeliest class, by that class's edges.

        Args:
            probabilities: float32 (C,).
        """
        label = self.leading_class(probabilities)
        probability = float(probabilities[label])
        return probability, segment_of(probability, self.segment_edges[label])

    def leading_class(self, probabilities: Floats) -> int:
        """Returns the class whose probability the answer leads with: 1 of two; of more, the likeliest.

        Args:
            probabilities: float32 (C,).
        """
        return 1 if len(probabilities) == 2 else int(probabilities.argmax())


def load_model(folder: Path, name: str, version: str, rules: RecentRules | None = None) -> LoadedModel:
    """Loads a version.

    Args:
        folder: of the version, its files just verified.
        name: of the model.
        version: of the model.
        rules: what the fast store keeps; None for a store that keeps all.

    Raises:
        ModelError: the fast store does not keep what it needs, or its cards cannot be read.
        AuguryError: its files are not a model.
    """
    spec = FeatureSpec.from_json(read_text(folder / "feature_spec.json"))
    if rules is not None:
        check_store(spec, rules, f"{name} {version}")
    counts = _label_counts(folder, spec.classes)
    rates = (counts / counts.sum()).astype(np.float32)
    from models.behavior.predictor import Predictor

    return LoadedModel(
        name=name,
        version=version,
        spec=spec,
        columns=spec.required_columns(),
        coder=FeatureCoder(spec),
        predictor=Predictor.load(folder, spec),
        base_rates=rates,
        segment_edges=_segment_edges(folder, rates),
        card=read_json(folder / "model_card.json"),
        loaded_at_us=time.time_ns() // 1000,
    )


def check_store(spec: FeatureSpec, rules: RecentRules, which: str) -> None:
    """Refuses a model that could see an event that the fast store does not keep: it would predict from less.

    Events that are no ``track`` calls have the name that their type has by default, so hiding the name hides the type.

    Raises:
        ModelError: naming the setting to change.
    """
    for kind in sorted({"track", *DEFAULT_NAMES} - set(rules.types)):
        if DEFAULT_NAMES.get(kind) not in spec.hides:
            raise ModelError(
                f"{which} sees {kind} events, which the fast store does not keep (store_types is "
                f"{','.join(rules.types)}); keep them, or train a model that hides them"
            )
    if rules.count < spec.sequence_length:
        raise ModelError(
            f"{which} reads the last {spec.sequence_length} events, but the fast store keeps {rules.count} of each "
            f"visitor (store_events); keep at least {spec.sequence_length}"
        )


def _label_counts(folder: Path, classes: int) -> npt.NDArray[np.float64]:
    card = read_json(folder / "dataset_card.json")
    try:
        labels = card["splits"]["train"]["labels"]
        counts = np.array([float(labels.get(str(label), 0)) for label in range(classes)])
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise ModelError(f"{folder}/dataset_card.json counts no train labels ({e!r}); train again") from e
    if not counts.sum() > 0 or not np.isfinite(counts).all() or counts.min() < 0:
        raise ModelError(f"{folder}/dataset_card.json counts train labels {labels}; expected some of each; train again")
    return counts


def _segment_edges(folder: Path, rates: Floats) -> tuple[tuple[float, ...], ...]:
    """Returns the edges that the evaluation recorded; around the base rate for classes without any."""
    edges: list[Sequence[float]] = [edges_around(float(rate)) for rate in rates]
    with contextlib.suppress(ModelError, StorageError, KeyError, TypeError, ValueError, IndexError):
        for view in read_json(folder / "evaluation.json")["views"]:
            found = [float(edge) for edge in view["segment_edges"]]
            if len(found) == 4 and found == sorted(found):
                edges[int(view["class"])] = found
    return tuple(tuple(each) for each in edges)
