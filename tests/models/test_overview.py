"""What is shown of a version, from what its cards and its registry say."""

from models.overview import days_of, examples_of, lines_about, main_metrics, standing
from models.registry import Champion

DAY_US = 86_400_000_000


def champion(**changes) -> Champion:
    return Champion("c", "digest", 3, 0, "anna", "promote", "", "b", **changes)


def test_a_version_may_stand_for_several_things() -> None:
    reigning = champion(predecessors=("b", "a"), pinned=("b", "x"), retired=("x",))
    assert standing("c", reigning) == ("champion",)
    assert standing("b", reigning) == ("predecessor", "pinned")
    assert standing("a", reigning) == ()  # only the first is what a rollback leads to
    assert standing("x", reigning) == ("pinned", "being removed")
    assert standing("c", None) == ()


def test_days_and_examples_of_a_card_and_of_one_that_has_none() -> None:
    window = {"start_us": 20_454 * DAY_US, "end_us": 20_484 * DAY_US + 1}
    assert days_of({"window": window}) == "2026-01-01 to 2026-01-31"
    window["end_us"] = 20_484 * DAY_US  # midnight: that day is not in it any more
    assert days_of({"window": window}) == "2026-01-01 to 2026-01-30"
    assert [days_of(card) for card in ({}, {"window": None}, {"window": {"start_us": 1}})] == ["", "", ""]
    assert examples_of({"splits": {"train": {"examples": 5}, "test": {}, "other": 3}}) == {"train": 5}
    assert examples_of({"splits": []}) == {}


def test_main_metrics_are_those_that_gates_have_limits_for() -> None:
    assert main_metrics("behavior") == ["auc", "ece"]
    assert main_metrics("attention") == ["auc", "cc", "information_gain", "nss", "kld"]


def test_the_lines_of_a_version_are_those_in_which_it_came_or_went() -> None:
    lines = [{"version": "a"}, {"version": "b", "replaced": "a"}, {"version": "c", "replaced": "b"}]
    assert lines_about("a", lines) == lines[:2]
