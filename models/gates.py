"""The gates that a version passes before it may become champion: its metrics, its calibration, its golden set."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD
from features.storage import exists, read_bytes
from models.rescored import Change, Rescored

_LOWER_IS_BETTER = frozenset({"brier", "ece", "ece_equal_mass", "kld", "log_loss"})
_JUDGED_BY = ("estimate", "interval")


class GateError(AuguryError, ValueError):
    """Thresholds that make no sense, or a version without the metrics to judge it by."""


class GoldenReplay(Protocol):
    """What replaying a golden set found: how many instances, and how many gave the very same bits."""

    @property
    def total(self) -> int: ...

    @property
    def identical(self) -> int: ...


@dataclass(frozen=True)
class GateResult:
    """What one gate said: its name, whether the version passed, and why in one line."""

    name: str
    passed: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Returns what goes into the history."""
        return asdict(self)


@dataclass(frozen=True)
class Thresholds:
    """What a version must reach. Metrics are named as in the model card, nested names joined by dots.

    Attributes:
        at_least: metric -> the least it may be.
        at_most: metric -> the most it may be.
        max_ece: the most that the expected calibration error may be; None for a model that gives no probabilities.
        ece_metric: name of that error.
        margins: metric -> how much worse than the champion's, on the same validation data, it may be.
        judged_by: what must stay within a margin: ``estimate``, the difference itself, or ``interval``, all of its
            95 % interval, which asks for proof that it is not worse, and so for many examples.
        slice_margin: how much worse than the champion it may surely be on a slice of the examples; None does not ask.
    """

    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    max_ece: float | None = None
    ece_metric: str = "ece"
    margins: Mapping[str, float] = field(default_factory=dict)
    judged_by: str = "estimate"
    slice_margin: float | None = None

    def __post_init__(self) -> None:
        if self.max_ece is not None and not 0 <= self.max_ece <= 1:
            raise GateError(f"max_ece is {self.max_ece!r}; expected a number from 0 to 1")
        if self.judged_by not in _JUDGED_BY:
            raise GateError(f"judged_by is {self.judged_by!r}; expected one of {', '.join(_JUDGED_BY)}")
        if self.slice_margin is not None and not 0 <= self.slice_margin <= 1:
            raise GateError(f"slice_margin is {self.slice_margin!r}; expected a number from 0 to 1")
        for name in ("at_least", "at_most", "margins"):
            for metric, value in getattr(self, name).items():
                if not math.isfinite(value) or (name == "margins" and value < 0):
                    wanted = "a finite number, 0 or more" if name == "margins" else "a finite number"
                    raise GateError(f"{name}: {metric} is {value!r}; expected {wanted}")

    @classmethod
    def of(cls, family: str) -> "Thresholds":
        """Returns what a version of a family must reach where nobody says otherwise.

        Raises:
            GateError: nothing is said of this family.
        """
        if family not in _THRESHOLDS:
            raise GateError(f"no thresholds are known for family {family!r}; known: {', '.join(_THRESHOLDS)}")
        return _THRESHOLDS[family]

    def changed(self, given: Mapping[str, Any]) -> "Thresholds":
        """Returns these thresholds with some of them, from parsed TOML or JSON, replaced.

        Raises:
            GateError: an unknown key or an impossible value.
        """
        known = [f.name for f in fields(self)]
        for key in given:
            if key not in known:
                raise GateError(f"unknown threshold {key!r}; expected one of {', '.join(known)}")
        try:
            return replace(self, **given)
        except (TypeError, AttributeError) as e:
            raise GateError(f"thresholds {dict(given)!r} do not fit ({e}); expected numbers by metric") from e


_THRESHOLDS = {
    "behavior": Thresholds(
        at_least={"auc": 0.55}, max_ece=0.02, margins={"auc": 0.005, "log_loss": 0.005}, slice_margin=0.02
    ),
    # Information gain is counted from the mean map of other images: 0 is no better than knowing the centre. The margins
    # are a small part of what 200 test images leave open: intervals 0.27 NSS, 0.03 CC and 0.05 KLD wide.
    "attention": Thresholds(
        at_least={"auc": 0.7, "cc": 0.4, "information_gain": 0.0, "nss": 1.0},
        at_most={"kld": 1.5},
        margins={"cc": 0.005, "kld": 0.01, "nss": 0.02},
        slice_margin=0.02,
    ),
    # The worst of all targets: the AUC, the calibration error, and how much more is known than the mean rate tells.
    "creative": Thresholds(
        at_least={"auc": 0.52, "skill": 0.0},
        max_ece=0.02,
        margins={"auc": 0.005, "log_loss": 0.005},
        slice_margin=0.02,
    ),
}
"""Family -> the thresholds of ``Thresholds.of``."""

Replay = Callable[[Path], GoldenReplay]
"""Replays the golden set of a version's folder through the code path that will serve it."""

Rescore = Callable[[Path, Path], Rescored]
"""(champion's folder, candidate's folder) -> the champion on the candidate's validation data."""


@dataclass(frozen=True)
class Gates:
    """All gates of a family, ready to judge a candidate.

    Attributes:
        thresholds: what to reach.
        replay: the family's own.
        rescore: how to judge a champion on a candidate's examples, one by one. Without it, two versions are comparable
            only if they carry the same dataset card, and by estimates alone.
    """

    thresholds: Thresholds
    replay: Replay
    rescore: Rescore | None = None

    def check(self, candidate: Path, champion: Path | None) -> list[GateResult]:
        """Judges the version in the folder ``candidate``; every gate is tried, so that one run tells all.

        Args:
            candidate: local, verified folder.
            champion: the same of the present champion; None if there is none.

        Raises:
            GateError: the candidate has no readable metrics.
        """
        metrics = read_metrics(candidate)
        limits = self.thresholds
        results = [_limit(metrics, name, limit, "at least") for name, limit in sorted(limits.at_least.items())]
        results += [_limit(metrics, name, limit, "at most") for name, limit in sorted(limits.at_most.items())]
        results += self._against_champion(metrics, candidate, champion)
        if limits.max_ece is not None:
            results.append(_limit(metrics, limits.ece_metric, limits.max_ece, "at most", "calibration"))
        results.append(self._golden(candidate))
        return results

    def _against_champion(
        self, metrics: Mapping[str, float], candidate: Path, champion: Path | None
    ) -> list[GateResult]:
        if champion is None:
            return [GateResult("not worse than the champion", True, "there is no champion yet")]
        limits, data = self.thresholds, _data_of(candidate)
        if data is not None and data == _data_of(champion) and limits.judged_by == "estimate":
            found = Rescored(read_metrics(champion), {})
        elif self.rescore is not None:
            try:
                found = self.rescore(champion, candidate)
            except AuguryError as e:
                return [GateResult("not worse than the champion", False, str(e))]
        else:
            why = (
                "an interval is to be judged"
                if limits.judged_by == "interval"
                else f"the champion was judged on other data ({DATASET_CARD} differs)"
            )
            detail = f"{why}; judge the champion on this version's examples"
            return [GateResult("not worse than the champion", False, detail)]
        results = [
            _not_worse(metrics, found, name, margin, limits.judged_by)
            for name, margin in sorted(limits.margins.items())
        ]
        if limits.slice_margin is not None and found.slices:
            results.append(_no_slice_worse(found, limits.slice_margin))
        return results

    def _golden(self, candidate: Path) -> GateResult:
        try:
            found = self.replay(candidate)
        except AuguryError as e:
            return GateResult("golden set", False, str(e))
        detail = f"{found.identical} of {found.total} predictions are identical bit for bit"
        return GateResult("golden set", found.total == found.identical > 0, detail)


def read_metrics(folder: Path) -> dict[str, float]:
    """Returns the numbers under ``metrics`` of a version's ``model_card.json``; nested names are joined by dots.

    Raises:
        GateError: there are none.
        StorageError: the card is missing.
    """
    path = folder / "model_card.json"
    try:
        metrics = json.loads(read_bytes(path))["metrics"]
        found = flat_numbers(metrics)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise GateError(f'{path} has no "metrics" to judge by ({e!r}); train again') from e
    if not found:
        raise GateError(f'{path} has no number under "metrics"; train again')
    return found


def lower_is_better(metric: str) -> bool:
    """Says whether less of a metric is better, by the last part of its name; of all others more is."""
    return metric.rpartition(".")[2] in _LOWER_IS_BETTER


def flat_numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Returns the numbers in nested mappings, by their names joined by dots; what is no number is left out."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= flat_numbers(value, f"{prefix}{name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = float(value)
    return found


def _data_of(folder: Path) -> str | None:
    path = folder / DATASET_CARD
    return hashlib.sha256(read_bytes(path)).hexdigest() if exists(path) else None


def _limit(metrics: Mapping[str, float], metric: str, limit: float, sense: str, name: str | None = None) -> GateResult:
    name = name or f"{metric} {sense} {limit:g}"
    value = metrics.get(metric)
    if value is None:
        return GateResult(name, False, f"the model card has no {metric}; it has {', '.join(sorted(metrics))}")
    passed = value >= limit if sense == "at least" else value <= limit
    return GateResult(name, passed, f"{metric} is {value:.6g}, expected {sense} {limit:g}")


def _not_worse(ours: Mapping[str, float], champion: Rescored, metric: str, margin: float, judged_by: str) -> GateResult:
    name = f"{metric} not worse than the champion's"
    theirs = champion.metrics
    if metric not in ours or metric not in theirs:
        whose = "this version's" if metric not in ours else "the champion's"
        return GateResult(name, False, f"{whose} metrics have no {metric}")
    sign = -1 if lower_is_better(metric) else 1
    gain, detail = sign * (ours[metric] - theirs[metric]), ""
    change = champion.changes.get(metric)
    if change is not None:
        detail = f", difference {_shown(change)}"
        gain = sign * change.value
        if judged_by == "interval":
            gain = change.low if sign > 0 else -change.high
            detail += ", of which all is judged"
    detail = f"{metric} is {ours[metric]:.6g}, the champion's {theirs[metric]:.6g}{detail}, margin {margin:g}"
    return GateResult(name, gain >= -margin, detail)


def _no_slice_worse(champion: Rescored, margin: float) -> GateResult:
    """Judges slices, of which more is better: only what is surely worse counts, since they are many and small."""
    worse = [one for one in champion.slices if one.change.high < -margin]
    least = min(champion.slices, key=lambda one: one.change.high)
    told = "; ".join(f"{one.name}: {_shown(one.change)}" for one in worse or [least])
    what = f"{len(worse)} of {len(champion.slices)} slices are surely worse:" if worse else "the most doubtful slice is"
    return GateResult("no slice surely worse than the champion's", not worse, f"{what} {told}, margin {margin:g}")


def _shown(change: Change) -> str:
    return f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
