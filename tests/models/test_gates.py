"""Every gate, passed and not, on version folders written by hand."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from features.errors import AuguryError
from models.gates import GateError, GateResult, Gates, Thresholds, read_metrics
from models.rescored import Change, Rescored, SliceChange

BEHAVIOR = Thresholds.of("behavior")
GOOD = {"auc": 0.80, "ece": 0.010, "log_loss": 0.30}


@dataclass(frozen=True)
class Replayed:
    total: int
    identical: int


def all_identical(folder: Path) -> Replayed:
    return Replayed(1000, 1000)


def write_version(folder: Path, metrics: Mapping[str, Any], card: str | None = "card") -> Path:
    folder.mkdir()
    (folder / "model_card.json").write_text(json.dumps({"metrics": metrics}))
    if card is not None:
        (folder / "dataset_card.json").write_text(card)
    return folder


def failed(results: list[GateResult]) -> list[str]:
    return [f"{result.name}: {result.detail}" for result in results if not result.passed]


def test_a_first_version_passes_on_its_own_merits(tmp_path: Path) -> None:
    gates = Gates(Thresholds(at_least={"auc": 0.7}, at_most={"log_loss": 0.5}, max_ece=0.02), all_identical)
    results = gates.check(write_version(tmp_path / "a", GOOD), None)
    assert failed(results) == []
    assert [result.name for result in results] == [
        "auc at least 0.7",
        "log_loss at most 0.5",
        "not worse than the champion",
        "calibration",
        "golden set",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"auc": 0.69}, "auc at least 0.7: auc is 0.69, expected at least 0.7"),
        ({"auc": float("nan")}, "auc at least 0.7: auc is nan, expected at least 0.7"),
        ({"log_loss": 0.51}, "log_loss at most 0.5: log_loss is 0.51, expected at most 0.5"),
        ({"ece": 0.03}, "calibration: ece is 0.03, expected at most 0.02"),
        ({"ece": None}, "calibration: the model card has no ece; it has auc, log_loss"),
    ],
)
def test_an_absolute_threshold_that_is_missed_says_so(
    tmp_path: Path, change: dict[str, float | None], message: str
) -> None:
    gates = Gates(Thresholds(at_least={"auc": 0.7}, at_most={"log_loss": 0.5}, max_ece=0.02), all_identical)
    assert failed(gates.check(write_version(tmp_path / "a", GOOD | change), None)) == [message]


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        ({}, []),
        ({"auc": 0.7951, "log_loss": 0.3049}, []),
        (
            {"auc": 0.7949},
            ["auc not worse than the champion's: auc is 0.7949, the champion's 0.8, margin 0.005"],
        ),
        (
            {"log_loss": 0.3051},
            ["log_loss not worse than the champion's: log_loss is 0.3051, the champion's 0.3, margin 0.005"],
        ),
        ({"auc": None}, ["auc not worse than the champion's: this version's metrics have no auc"]),
    ],
)
def test_a_version_may_be_worse_than_the_champion_by_the_margin_only(
    tmp_path: Path, change: dict[str, float | None], messages: list[str]
) -> None:
    champion = write_version(tmp_path / "champion", GOOD)
    gates = Gates(Thresholds(margins=BEHAVIOR.margins), all_identical)
    assert failed(gates.check(write_version(tmp_path / "a", GOOD | change), champion)) == messages


@pytest.mark.parametrize("card", ["another card", None])
def test_metrics_on_other_data_are_not_compared(tmp_path: Path, card: str | None) -> None:
    champion = write_version(tmp_path / "champion", GOOD, card)
    candidate = write_version(tmp_path / "a", GOOD, card and "card")
    assert failed(Gates(BEHAVIOR, all_identical).check(candidate, champion)) == [
        "not worse than the champion: the champion was judged on other data (dataset_card.json differs); "
        "judge the champion on this version's examples"
    ]


def test_a_champion_is_judged_again_on_the_candidates_data(tmp_path: Path) -> None:
    champion = write_version(tmp_path / "champion", GOOD, "old data")
    candidate = write_version(tmp_path / "a", GOOD | {"auc": 0.70}, "new data")
    asked: list[tuple[Path, Path]] = []

    def rescore(old: Path, new: Path) -> Rescored:
        asked.append((old, new))
        return Rescored({"auc": 0.69, "log_loss": 0.31}, {})

    assert failed(Gates(BEHAVIOR, all_identical, rescore).check(candidate, champion)) == []
    assert asked == [(champion, candidate)]


def test_an_interval_that_is_asked_for_is_measured_on_the_same_data_too(tmp_path: Path) -> None:
    champion, candidate = (write_version(tmp_path / name, GOOD) for name in ("champion", "a"))
    limits = Thresholds(margins={"auc": 0.005}, judged_by="interval")

    def rescore(old: Path, new: Path) -> Rescored:
        return Rescored({"auc": 0.8}, {"auc": Change(0.0, -0.02, 0.02)})

    [said] = failed(Gates(limits, all_identical, rescore).check(candidate, champion))
    assert said.endswith("difference +0.0000 (-0.0200 to +0.0200), of which all is judged, margin 0.005")
    [said] = failed(Gates(limits, all_identical).check(candidate, champion))
    assert said.startswith("not worse than the champion: an interval is to be judged")


def told(change: Change, judged_by: str = "estimate", worst: float = 0.01) -> dict[str, tuple[bool, str]]:
    """Returns what the gates against a champion say whose AUC of 0.8 the candidate misses by ``change``."""
    slices = (
        SliceChange("clicks up to 3", 400, 0.8, 0.79, Change(-0.01, -0.05, worst)),
        SliceChange("clicks above 3", 400, 0.8, 0.8, Change(0.0, -0.04, 0.04)),
    )
    limits = Thresholds(margins={"auc": 0.005}, judged_by=judged_by, slice_margin=0.02)
    gates = Gates(limits, all_identical, lambda old, new: Rescored({"auc": 0.8}, {"auc": change}, slices))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        champion = write_version(folder / "champion", GOOD, "old data")
        results = gates.check(write_version(folder / "a", GOOD | {"auc": 0.8 + change.value}, "new data"), champion)
    return {result.name: (result.passed, result.detail) for result in results}


def test_a_difference_is_told_with_its_interval_and_judged_by_itself_or_by_all_of_that() -> None:
    near = Change(-0.004, -0.01, 0.002)
    assert told(near)["auc not worse than the champion's"] == (
        True,
        "auc is 0.796, the champion's 0.8, difference -0.0040 (-0.0100 to +0.0020), margin 0.005",
    )
    assert told(near, "interval")["auc not worse than the champion's"] == (
        False,
        "auc is 0.796, the champion's 0.8, difference -0.0040 (-0.0100 to +0.0020), of which all is judged, margin "
        "0.005",
    )
    assert told(Change(0.001, -0.004, 0.006), "interval")["auc not worse than the champion's"][0]
    assert not told(Change(-0.006, -0.02, 0.01))["auc not worse than the champion's"][0]


def test_a_slice_that_is_surely_worse_fails() -> None:
    name, level = "no slice surely worse than the champion's", Change(0.0, -0.01, 0.01)
    assert told(level)[name] == (
        True,
        "the most doubtful slice is clicks up to 3: -0.0100 (-0.0500 to +0.0100), margin 0.02",
    )
    assert told(level, worst=-0.021)[name] == (
        False,
        "1 of 2 slices are surely worse: clicks up to 3: -0.0100 (-0.0500 to -0.0210), margin 0.02",
    )


def test_a_champion_that_cannot_be_judged_fails_with_the_reason(tmp_path: Path) -> None:
    def rescore(old: Path, new: Path) -> Rescored:
        raise AuguryError("the examples are gone; make them again")

    champion = write_version(tmp_path / "champion", GOOD, "old data")
    candidate = write_version(tmp_path / "a", GOOD, "new data")
    assert failed(Gates(BEHAVIOR, all_identical, rescore).check(candidate, champion)) == [
        "not worse than the champion: the examples are gone; make them again"
    ]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Replayed(1000, 999), "golden set: 999 of 1000 predictions are identical bit for bit"),
        (Replayed(0, 0), "golden set: 0 of 0 predictions are identical bit for bit"),
    ],
)
def test_one_changed_bit_or_an_empty_golden_set_fails(tmp_path: Path, found: Replayed, message: str) -> None:
    gates = Gates(BEHAVIOR, lambda folder: found)
    assert failed(gates.check(write_version(tmp_path / "a", GOOD), None)) == [message]


def test_a_golden_set_that_cannot_be_replayed_fails(tmp_path: Path) -> None:
    def replay(folder: Path) -> Replayed:
        raise AuguryError(f"{folder.name} holds no golden set; train again")

    results = Gates(BEHAVIOR, replay).check(write_version(tmp_path / "a", GOOD), None)
    assert failed(results) == ["golden set: a holds no golden set; train again"]


def test_nested_metrics_are_named_with_dots_and_keep_their_direction(tmp_path: Path) -> None:
    told = {"test": {"auc": 0.8, "log_loss": 0.3}, "ece": 0.01, "note": "text", "flag": True}
    champion = write_version(tmp_path / "champion", told)
    candidate = write_version(tmp_path / "a", told | {"test": {"auc": 0.8, "log_loss": 0.4}})
    assert read_metrics(candidate) == {"test.auc": 0.8, "test.log_loss": 0.4, "ece": 0.01}
    gates = Gates(Thresholds(at_least={"test.auc": 0.7}, margins={"test.log_loss": 0.05}), all_identical)
    assert failed(gates.check(candidate, champion)) == [
        "test.log_loss not worse than the champion's: test.log_loss is 0.4, the champion's 0.3, margin 0.05"
    ]


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"metrics": 3}', '{"metrics": {"auc": "high"}}'])
def test_a_card_without_metrics_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_card.json").write_text(text)
    with pytest.raises(GateError, match=r"model_card.json has no .*metrics.*; train again"):
        Gates(BEHAVIOR, all_identical).check(tmp_path, None)


def test_given_thresholds_replace_those_of_the_family() -> None:
    assert BEHAVIOR.changed({"max_ece": 0.1, "at_least": {"auc": 0.9}}) == Thresholds(
        at_least={"auc": 0.9}, max_ece=0.1, margins={"auc": 0.005, "log_loss": 0.005}, slice_margin=0.02
    )
    with pytest.raises(
        GateError, match="no thresholds are known for family 'tea'; known: behavior, attention, creative"
    ):
        Thresholds.of("tea")


SEEN = {"nss": 3.0, "auc": 0.9, "cc": 0.75, "kld": 0.5, "information_gain": 1.8}


def test_a_model_of_attention_has_no_calibration(tmp_path: Path) -> None:
    gates = Gates(Thresholds.of("attention"), all_identical)
    results = gates.check(write_version(tmp_path / "a", SEEN), write_version(tmp_path / "champion", SEEN))
    assert failed(results) == []
    assert [result.name for result in results] == [
        "auc at least 0.7",
        "cc at least 0.4",
        "information_gain at least 0",
        "nss at least 1",
        "kld at most 1.5",
        "cc not worse than the champion's",
        "kld not worse than the champion's",
        "nss not worse than the champion's",
        "golden set",
    ]


def test_less_divergence_is_better(tmp_path: Path) -> None:
    gates = Gates(Thresholds.of("attention"), all_identical)
    champion = write_version(tmp_path / "champion", SEEN)
    better = write_version(tmp_path / "better", SEEN | {"kld": 0.3, "nss": 2.985})
    assert failed(gates.check(better, champion)) == []
    worse = write_version(tmp_path / "worse", SEEN | {"kld": 0.6, "nss": 2.97})
    assert failed(gates.check(worse, champion)) == [
        "kld not worse than the champion's: kld is 0.6, the champion's 0.5, margin 0.01",
        "nss not worse than the champion's: nss is 2.97, the champion's 3, margin 0.02",
    ]


def test_a_model_that_the_centre_prior_beats_is_refused(tmp_path: Path) -> None:
    gates = Gates(Thresholds.of("attention"), all_identical)
    told = {"nss": 1.1, "auc": 0.72, "cc": 0.41, "kld": 1.4, "information_gain": -0.1}
    assert failed(gates.check(write_version(tmp_path / "a", told), None)) == [
        "information_gain at least 0: information_gain is -0.1, expected at least 0"
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_ec": 1}, "unknown threshold 'max_ec'; expected one of at_least, at_most, max_ece, ece_metric, margins"),
        ({"max_ece": 1.5}, "max_ece is 1.5; expected a number from 0 to 1"),
        ({"max_ece": "low"}, "do not fit"),
        ({"at_least": {"auc": float("inf")}}, "at_least: auc is inf; expected a finite number"),
        ({"margins": {"auc": -0.1}}, "margins: auc is -0.1; expected a finite number, 0 or more"),
        ({"at_least": 0.5}, "do not fit"),
    ],
)
def test_impossible_thresholds_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(GateError, match=message):
        BEHAVIOR.changed(given)
