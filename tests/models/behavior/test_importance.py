"""Permutation importance: noise costs nothing, what was planted costs most, and the errors are honest."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.behavior import metrics
from models.behavior.feature_groups import FeatureGroup, feature_groups
from models.behavior.importance import choose, permutation_importance, permuted
from models.behavior.layout import Layout, Packed
from models.behavior.metrics import MetricsError

LAYOUT = Layout(8, {"signal": 4, "noise": 4}, {"kind": 3, "other": 3}, frozenset(), ("weight",), 2)
NO_BUCKETS = np.zeros(8, np.bool_)
SIGNAL = FeatureGroup("step/signal", ("signal",), NO_BUCKETS, steps=("signal",))
NOISE = FeatureGroup("step/noise", ("noise",), NO_BUCKETS, steps=("noise",))
LOW_BITS = FeatureGroup("hash/low", ("low",), np.arange(8) < 4, told_apart=1.0)
KIND = FeatureGroup("metadata/kind", ("kind", "weight"), NO_BUCKETS, metadata=("kind", "weight"))


def packed_of(random: np.random.Generator, count: int) -> Packed:
    lengths = random.integers(1, 6, count)
    steps = int(lengths.sum())
    hash_lengths = random.integers(0, 4, steps)
    bits = [np.sort(random.choice(8, size, replace=False)) for size in hash_lengths]
    return Packed(
        lengths.astype(np.int32),
        hash_lengths.astype(np.int32),
        np.concatenate(bits).astype(np.int32),
        random.integers(0, 4, (steps, 2)).astype(np.int32),
        random.integers(0, 3, (count, 2)).astype(np.int32),
        random.random((count, 1)).astype(np.float32),
    )


def bits_of(packed: Packed) -> list[list[int]]:
    return [values.tolist() for values in np.split(packed.hash_values, packed.bit_offsets[1:-1])]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_an_example_gets_the_groups_values_of_another_and_keeps_the_rest(seed: int) -> None:
    """Step by step, by hand: counted from the end, and over again where the other one is shorter."""
    random = np.random.default_rng(seed)
    packed = packed_of(random, int(random.integers(1, 12)))
    order = random.permutation(len(packed))
    source = []
    for row, length in enumerate(packed.lengths):
        theirs = range(packed.step_offsets[order[row]], packed.step_offsets[order[row] + 1])
        source += [theirs[-1 - back % len(theirs)] for back in range(length)][::-1]

    found = permuted(packed, LAYOUT, SIGNAL, order)
    assert found.steps[:, 0].tolist() == packed.steps[source, 0].tolist()
    assert (found.steps[:, 1] == packed.steps[:, 1]).all()
    assert bits_of(found) == bits_of(packed)
    assert (found.categories == packed.categories).all() and (found.numbers == packed.numbers).all()

    found = permuted(packed, LAYOUT, LOW_BITS, order)
    ours = bits_of(packed)
    assert bits_of(found) == [
        sorted([*(bit for bit in own if bit >= 4), *(bit for bit in ours[place] if bit < 4)])
        for own, place in zip(ours, source, strict=True)
    ]
    assert (found.steps == packed.steps).all() and (found.lengths == packed.lengths).all()

    found = permuted(packed, LAYOUT, KIND, order)
    assert found.categories[:, 0].tolist() == packed.categories[order, 0].tolist()
    assert (found.categories[:, 1] == packed.categories[:, 1]).all()
    assert found.numbers.tolist() == packed.numbers[order].tolist()
    for name, values in found.arrays().items():
        assert values.dtype == getattr(packed, name).dtype


def chance(packed: Packed) -> np.ndarray:
    """A model that reads the signal of the last step and a little of the kind, and nothing else."""
    last = packed.steps[packed.step_offsets[1:] - 1, 0]
    p = 1 / (1 + np.exp(-(1.5 * last - 2.5 + 0.3 * packed.categories[:, 0])))
    return np.stack([1 - p, p], axis=1)


def measured(count: int = 3000, seed: int = 0, **options: object) -> tuple:
    random = np.random.default_rng(seed)
    packed = packed_of(random, count)
    labels = (random.random(count) < chance(packed)[:, 1]).astype(np.int64)
    names = pa.array(map(str, range(count)))
    groups = [NOISE, SIGNAL, LOW_BITS, KIND]
    found = permutation_importance(packed, labels, names, groups, LAYOUT, chance, **options)
    return packed, labels, found, {row["name"]: row for row in found["groups"]}


def test_what_was_planted_costs_most_and_what_the_model_does_not_read_nothing() -> None:
    packed, labels, found, rows = measured()
    auc = metrics.auc_with_interval(labels, chance(packed))
    assert (found["auc"], found["log_loss"]) == (auc.value, pytest.approx(metrics.log_loss(labels, chance(packed))))
    assert (found["examples"], found["visitors"], found["repeats"], found["seed"]) == (3000, 3000, 5, 0)
    for name in ("step/noise", "hash/low"):
        for figure in ("auc_drop", "log_loss_rise"):
            nothing = {"value": 0, "standard_error": 0, "low": 0, "high": 0}
            assert rows[name][figure] == pytest.approx(nothing, abs=1e-12)
    assert rows["step/signal"]["auc_drop"]["low"] > 0.2
    assert rows["step/signal"]["log_loss_rise"]["low"] > 0.2
    assert rows["step/signal"]["auc_drop"]["value"] > 5 * rows["metadata/kind"]["auc_drop"]["value"]
    assert rows["metadata/kind"]["auc_drop"]["low"] > 0
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_without_its_only_signal_a_model_ranks_by_chance() -> None:
    """By hand: what is left of the AUC is a half and what the kind is worth."""
    packed, labels, found, rows = measured(count=20_000)
    kind_alone = metrics.roc_auc(labels == 1, packed.categories[:, 0].astype(float))
    left = found["auc"] - rows["step/signal"]["auc_drop"]["value"]
    assert left == pytest.approx(0.5 + 0.2 * (kind_alone - 0.5), abs=0.03)


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """The truth is what many examples say; of 60 samples of 400 examples, 95 % intervals hold it at least 50 times."""
    truth = measured(count=100_000, seed=99, repeats=3)[3]["metadata/kind"]
    held = {"auc_drop": 0, "log_loss_rise": 0}
    for seed in range(60):
        row = measured(count=400, seed=seed)[3]["metadata/kind"]
        for figure in held:
            held[figure] += row[figure]["low"] <= truth[figure]["value"] <= row[figure]["high"]
    assert all(50 <= times for times in held.values()), held


def test_examples_of_one_visitor_count_as_one_opinion() -> None:
    """Every example ten times over, under ten visitors or under one: the error of one is that of the originals."""
    random = np.random.default_rng(1)
    packed = packed_of(random, 300)
    labels = (random.random(300) < chance(packed)[:, 1]).astype(np.int64)
    names = pa.array(map(str, range(300)))
    tenfold = Packed.concatenate([packed] * 10)
    errors = {}
    for key, visitors in (("one", np.tile(names, 10)), ("ten", list(map(str, range(3000))))):
        groups = permutation_importance(
            tenfold, np.tile(labels, 10), pa.array(visitors), [SIGNAL], LAYOUT, chance, repeats=20
        )["groups"]
        errors[key] = groups[0]["log_loss_rise"]["standard_error"]
    alone = permutation_importance(packed, labels, names, [SIGNAL], LAYOUT, chance, repeats=200)["groups"]
    assert errors["one"] == pytest.approx(alone[0]["log_loss_rise"]["standard_error"], rel=0.1)
    assert errors["ten"] < 0.5 * errors["one"]


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    packed, labels, found, rows = measured(count=500)
    assert measured(count=500)[2] == found
    names = pa.array(map(str, range(500)))
    [other] = permutation_importance(packed, labels, names, [SIGNAL], LAYOUT, chance, seed=1)["groups"]
    assert other["auc_drop"]["value"] != rows["step/signal"]["auc_drop"]["value"]
    assert other["auc_drop"]["low"] < rows["step/signal"]["auc_drop"]["value"] < other["auc_drop"]["high"]


def test_more_classes() -> None:
    layout = replace(LAYOUT, classes=3)

    def thirds(packed: Packed) -> np.ndarray:
        last = packed.steps[packed.step_offsets[1:] - 1, 0]
        p = np.full((len(packed), 3), 0.2)
        p[np.arange(len(packed)), last % 3] = 0.6
        return p

    random = np.random.default_rng(2)
    packed = packed_of(random, 2000)
    labels = (random.random((2000, 1)) > np.cumsum(thirds(packed), axis=1)).sum(axis=1)
    names = pa.array(map(str, range(2000)))
    signal, noise = permutation_importance(packed, labels, names, [SIGNAL, NOISE], layout, thirds)["groups"]
    assert signal["auc_drop"]["low"] > 0.1
    assert noise["auc_drop"]["value"] == 0


def test_examples_of_one_class_are_refused() -> None:
    packed = packed_of(np.random.default_rng(0), 5)
    names = pa.array(map(str, range(5)))
    with pytest.raises(MetricsError, match="all 5 labels are 0"):
        permutation_importance(packed, np.zeros(5, np.int64), names, [NOISE], LAYOUT, chance)


def test_a_part_of_the_examples_has_every_class() -> None:
    labels = np.array([0] * 990 + [1] * 9 + [2])
    rows = choose(labels, 100, seed=3)
    assert np.bincount(labels[rows]).tolist() == [99, 1, 1]
    assert (np.diff(rows) > 0).all()
    assert choose(labels, 100, seed=3).tolist() == rows.tolist()
    assert choose(labels, 5000, seed=3).tolist() == list(range(1000))


def test_a_trained_model_reports_what_was_planted_and_what_is_noise(artifact, make) -> None:
    """The more often /cart, the likelier: paths and counts carry it, agents and referrers are drawn at random."""
    evaluation = json.loads((artifact / "evaluation.json").read_text())
    found = evaluation["importance"]
    rows = {row["name"]: row for row in found["groups"]}
    assert (found["examples"], found["repeats"]) == (200, 5)
    assert set(rows) == {group.name for group in feature_groups(make.spec, _raw_events(artifact))}
    assert rows["hash/url"]["auc_drop"]["low"] > 0
    assert rows["metadata/history"]["auc_drop"]["low"] > 0
    for name in ("metadata/agent", "step/time_of_day", "hash/referrer"):
        drop = rows[name]["auc_drop"]
        assert abs(drop["value"]) <= 4 * drop["standard_error"] + 1e-12
        assert abs(drop["value"]) < 0.3 * rows["hash"]["auc_drop"]["value"]
    assert found["auc"] == pytest.approx(evaluation["metrics"]["auc"], abs=1e-9)


def test_the_guide_shows_what_the_evaluation_holds(artifact) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "interpretation.md").read_text()
    [text] = re.findall(r"```json\n(\"importance\".*?)```", guide, re.DOTALL)
    shown = json.loads(f"{{{text}}}")["importance"]
    found = json.loads((artifact / "evaluation.json").read_text())["importance"]
    assert list(shown) == list(found)
    for part in (shown, found):
        assert list(part["groups"][0]) == ["name", "features", "told_apart", "auc_drop", "log_loss_rise"]
        assert list(part["groups"][0]["auc_drop"]) == ["value", "standard_error", "low", "high"]


def _raw_events(artifact) -> pa.Table:
    import pyarrow.parquet as pq

    lists = pq.read_table(artifact / "golden" / "instances.parquet").column("events").combine_chunks()
    return pa.Table.from_struct_array(lists.flatten())
