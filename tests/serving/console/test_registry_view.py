"""What the pages about models read from a registry."""

from pathlib import Path

import pytest

from models.registry import Registry, RegistryError
from serving.console import registry_view
from serving.console.registry_view import MetricPair
from tests.console_registry import VERSIONS
from tests.served_attention import artifact
from tests.tiny_model import NAME


def test_a_model_with_its_versions(console_registry: Path) -> None:
    found = registry_view.read_model(Registry(console_registry), "behavior", NAME)
    assert found.wanted == ["auc", "ece"]
    assert [row.standing for row in found.rows] == [("champion",), ("predecessor",), (), ()]
    assert [row.metrics["auc"] for row in found.rows] == [VERSIONS[2][0], VERSIONS[1][0], 0.512, VERSIONS[0][0]]
    assert found.rows[0].days == "2026-08-26 to 2026-09-25"
    assert found.crowned is found.rows[0]
    assert found.course("auc") == [VERSIONS[0][0], 0.512, VERSIONS[1][0], VERSIONS[2][0]]


def test_the_champion_is_shown_however_old(tmp_path: Path) -> None:
    clock = iter(range(1, 10**15, 10**9))
    registry = Registry(tmp_path / "registry", now_us=lambda: next(clock))
    versions = [registry.publish(artifact(tmp_path / str(n), note=n), "attention", "page") for n in range(5)]
    from models.gates import GateResult

    registry.promote("attention", "page", versions[0], lambda *_: [GateResult("test", True, "")])
    found = registry_view.read_model(registry, "attention", "page", most=2)
    assert [row.version for row in found.rows] == [versions[4], versions[3], versions[0]]
    assert found.left_out == 2
    assert found.rows[0].days == ""  # its data has no time


def test_all_about_a_version(console_registry: Path) -> None:
    registry = Registry(console_registry)
    champion = registry.champion("behavior", NAME)
    assert champion is not None
    found = registry_view.read_version(registry, "behavior", NAME, champion.version)
    assert dict(found.metrics)["auc"] == VERSIONS[2][0]
    assert found.limits["auc"] == "at least 0.55; no more than 0.005 worse than the champion's"
    assert found.limits["ece"] == "at most 0.02"
    assert [line["action"] for line in found.lines] == ["promote", "publish"]
    assert ("generator", "purchase") in found.about
    assert found.evaluation["views"]


def test_what_is_not_there(console_registry: Path) -> None:
    registry = Registry(console_registry)
    with pytest.raises(RegistryError, match="there is no behavior/nothing in this registry"):
        registry_view.read_model(registry, "behavior", "nothing")
    with pytest.raises(RegistryError, match="has no version"):
        registry_view.read_version(registry, "behavior", NAME, "../../secrets")


def test_a_model_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    torn, changed, whole = (
        registry.publish(artifact(tmp_path / name, note=place), "attention", name)
        for place, name in enumerate(("torn", "changed", "whole"))
    )
    folder = tmp_path / "registry/attention"
    (folder / "torn" / torn / "MANIFEST.json").write_text("{")
    (folder / "changed" / changed / "model_card.json").write_text("{}")
    found = {view.name: view for view in registry_view.read_models(registry, ("behavior", "attention"), 12)}
    assert [row.version for row in found["whole"].rows] == [whole] and not found["whole"].problem
    assert found["torn"].rows == [] and "MANIFEST.json" in found["torn"].problem
    assert "model_card.json is not what was published; restore it" in found["changed"].problem


def test_two_versions(console_registry: Path) -> None:
    registry = Registry(console_registry)
    first, *_, last = registry.versions("behavior", NAME)
    pairs = {pair.metric: pair for pair in registry_view.compare(registry, "behavior", NAME, first, last)}
    assert pairs["auc"] == MetricPair("auc", VERSIONS[0][0], VERSIONS[2][0], 2)
    assert pairs["ece"].better == 2  # less is better
    assert pairs["brier"].better == 0  # the same
    assert pairs["auc"].difference == pytest.approx(0.032)
    assert MetricPair("new", None, 1.0, 0).difference is None
