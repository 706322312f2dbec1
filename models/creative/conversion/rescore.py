"""``python -m models.creative.conversion.rescore``: a champion's figures on the test products of a candidate."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.storage import read_bytes
from models.creative.conversion import metrics as m
from models.rescored import Change, Rescored, RescoreError, SliceChange, rescore_command

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DRAWS = 500
_LEVEL = 0.95
_FEWEST = 10
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Judged:
    """The rows of one target.

    Attributes:
        count: int64 (N,).
        among: int64 (N,).
        product: int64 (N,), whose they are, from 0 up.
        champion: float64 (N,), its rates.
        candidate: float64 (N,), its rates.
        base_log_loss: of one who looks at nothing.
        slices: name -> bool (N,).
    """

    count: Ints
    among: Ints
    product: Ints
    champion: Floats
    candidate: Floats
    base_log_loss: float
    slices: Mapping[str, npt.NDArray[np.bool_]]


def compare(targets: Mapping[str, Judged]) -> Rescored:
    """Compares the rates that two models gave to the same messages.

    Intervals are bootstrap intervals over products drawn with replacement, since messages of one product say much the
    same.

    Args:
        targets: name -> its rows.
    """
    rng = np.random.default_rng(0)
    theirs, changes = _overall({name: (j, j.champion, None) for name, j in targets.items()}), {}
    draws = []
    for _ in range(_DRAWS):
        weights = {name: _drawn(j.product, rng) for name, j in targets.items()}
        both = [
            _overall({name: (j, getattr(j, whose), weights[name]) for name, j in targets.items()})
            for whose in ("champion", "candidate")
        ]
        draws.append({metric: both[1][metric] - both[0][metric] for metric in ("auc", "log_loss")})
    ours = _overall({name: (j, j.candidate, None) for name, j in targets.items()})
    for metric in ("auc", "log_loss"):
        changes[metric] = _interval(ours[metric] - theirs[metric], [one[metric] for one in draws], _LEVEL)
    return Rescored(theirs, changes, tuple(_slices(targets, rng)))


def _overall(parts: Mapping[str, tuple[Judged, Floats, Ints | None]]) -> dict[str, float]:
    """Returns the metrics of a model card: each target's own, the worst of all, of the log loss the mean."""
    found: dict[str, float] = {}
    each = {}
    for name, (j, rates, weight) in parts.items():
        count, among = (j.count, j.among) if weight is None else (j.count * weight, j.among * weight)
        each[name] = {
            "accuracy": m.accuracy(count, among, rates),
            "auc": m.roc_auc(count, among, rates),
            "ece": m.ece(count, among, rates),
            "log_loss": m.log_loss(count, among, rates),
        }
        found |= {f"{name}.{metric}": value for metric, value in each[name].items()}
    return found | {
        "auc": min(one["auc"] for one in each.values()),
        "ece": max(one["ece"] for one in each.values()),
        "log_loss": float(np.mean([one["log_loss"] for one in each.values()])),
        "skill": min(1 - one["log_loss"] / parts[name][0].base_log_loss for name, one in each.items()),
    }


def _slices(targets: Mapping[str, Judged], rng: np.random.Generator) -> Iterator[SliceChange]:
    parts = []
    for target, j in targets.items():
        for name, rows in j.slices.items():
            count, among = int(j.count[rows].sum()), int(j.among[rows].sum())
            if len(np.unique(j.product[rows])) >= _FEWEST and _FEWEST <= count <= among - _FEWEST:
                parts.append((f"{target}, {name}", j, rows))
    level = 1 - (1 - _LEVEL) / max(len(parts), 1)
    for name, j, rows in parts:
        k, n, product = j.count[rows], j.among[rows], j.product[rows]
        before, after = (m.roc_auc(k, n, rates[rows]) for rates in (j.champion, j.candidate))
        gaps = []
        for _ in range(_DRAWS):
            weight = _drawn(product, rng)
            gap = [m.roc_auc(k * weight, n * weight, rates[rows]) for rates in (j.champion, j.candidate)]
            gaps.append(gap[1] - gap[0])
        yield SliceChange(name, int(n.sum()), before, after, _interval(after - before, gaps, level))


def _drawn(product: Ints, rng: np.random.Generator) -> Ints:
    """Returns how often the product of every row was drawn, int64 (N,)."""
    _, place = np.unique(product, return_inverse=True)
    number = int(place.max()) + 1
    drawn: Ints = np.bincount(rng.integers(0, number, number), minlength=number).astype(np.int64)[place]
    return drawn


def _interval(value: float, draws: Sequence[float], level: float) -> Change:
    known = np.array(draws)[np.isfinite(draws)]  # a draw may have no yes, or no no
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2)).tolist()
    return Change(float(value), low, high)


def rescore(champion: Path, candidate: Path, examples: str) -> Rescored:
    """Asks a champion and a candidate about the candidate's test products and compares the two.

    Args:
        champion: folder of its version.
        candidate: folder of its version.
        examples: the candidate's, of photos stored as the champion's were.

    Raises:
        RescoreError: a target of the champion that the candidate has not.
        DatasetError, PredictorError, StorageError: one line each.
    """
    from models.creative.conversion.rows import Photos, read_rows
    from models.creative.dataset import ExamplesFolder
    from models.creative.predictor import CreativeModel
    from models.creative.recognizer import Vectors

    folder = ExamplesFolder.open(examples)
    models = [CreativeModel.load(version, folder.spec, threads=1) for version in (champion, candidate)]
    lacking = [target for target in models[0].targets if target not in models[1].targets]
    if lacking:
        raise RescoreError(
            f"the candidate does not predict {', '.join(lacking)}, which the champion does; name it among --targets"
        )
    split = folder.read("test")
    order = sorted(range(len(split)), key=lambda row: (split.stored[row].product, split.stored[row].variant))
    table = pa.table(
        {name: [getattr(split.stored[row], name) for row in order] for name in ("product", "variant", "image_id")}
    )
    photos = Photos(table, {})
    rows = read_rows(folder, photos, "test")
    rates: list[dict[str, Floats]] = []
    for model in models:
        parts = [model.embed(split.batch(order[at : at + _BATCH]).images) for at in range(0, len(order), _BATCH)]
        vectors = Vectors(*(np.concatenate(column)[rows.photo] for column in zip(*parts, strict=True)))
        answer = model.probabilities(vectors, rows.campaigns(model.inputs.categories), models[0].targets)
        rates.append({name: one.probability for name, one in answer.estimates.items()})
    base = _base_losses(candidate)
    targets = {}
    for name in models[0].targets:
        places = rows.recorded(folder.spec.target(name))
        own = rows.take(places)
        target = folder.spec.target(name)
        count, among = (
            own.column(c).to_numpy(zero_copy_only=False).astype(np.int64) for c in (target.count, target.among)
        )
        slices: dict[str, npt.NDArray[np.bool_]] = {}
        for by in ("variant", "kind"):
            values = np.array([value or "unknown" for value in own.column(by).to_pylist()])
            slices |= {f"{by} {value}": values == value for value in np.unique(values).tolist()}
        theirs, ours = (one[name][places] for one in rates)
        targets[name] = Judged(count, among, own.codes("product"), theirs, ours, base[name], slices)
    return compare(targets)


def _base_losses(candidate: Path) -> dict[str, float]:
    path = candidate / "evaluation.json"
    try:
        found: dict[str, Any] = json.loads(read_bytes(path))["targets"]
        return {name: float(part["base"]["log_loss"]) for name, part in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise RescoreError(f"{path} says nothing of its targets ({e!r}); train again") from e


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return rescore_command("python -m models.creative.conversion.rescore", rescore, argv)


if __name__ == "__main__":
    sys.exit(main())
