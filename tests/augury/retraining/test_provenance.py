"""What a registry knows of retrainings: the version of an identity, and the last run."""

import json
from datetime import date
from pathlib import Path

import pytest

from augury.retraining.checks import Rate
from augury.retraining.provenance import Identity, known_versions, last_run, statistics_of, version_of
from augury.retraining.window import DataWindow
from models.registry import Registry, RegistryError
from models.rescoring import PROVENANCE

MODEL = ("behavior", "purchase")


def identity(end: date, units: int = 8) -> Identity:
    window = DataWindow(date.fromordinal(end.toordinal() - 7), end)
    return Identity(*MODEL, window, "code", {"train": {"units": units}})


def publish(registry: Registry, folder: Path, what: Identity, **more: object) -> str:
    folder.mkdir()
    told = {
        "key": what.key,
        **what.to_dict(),
        "fingerprint": "f",
        "checks": {"examples": 10, "days": 7, "rates": {"1": [2, 10]}, "last_run": None},
        **more,
    }
    (folder / "model_card.json").write_text(json.dumps({"family": "behavior", "metrics": {"auc": 0.7}}))
    (folder / "statistics.pb").write_bytes(what.key.encode())
    (folder / PROVENANCE).write_text(json.dumps(told))
    return registry.publish(folder, *MODEL)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    moments = iter(range(1_787_529_600_000_000, 1_787_529_700_000_000, 1_000_000))
    return Registry(tmp_path / "registry", now_us=lambda: next(moments))


WEEKS = [identity(date(2026, 8, day)) for day in (10, 17, 24)]


def test_an_identity_is_found_by_all_that_decides_it(registry: Registry, tmp_path: Path) -> None:
    assert version_of(registry, WEEKS[0]) is None
    versions = [publish(registry, tmp_path / f"m{n}", week) for n, week in enumerate(WEEKS)]
    assert [version_of(registry, week) for week in WEEKS] == versions
    assert version_of(registry, identity(date(2026, 8, 17), units=16)) is None


def test_the_last_run_is_of_the_newest_earlier_window_and_never_one_s_own(registry: Registry, tmp_path: Path) -> None:
    assert last_run(registry, WEEKS[0]) is None
    later = publish(registry, tmp_path / "later", WEEKS[2])
    first = publish(registry, tmp_path / "first", WEEKS[0])
    found = last_run(registry, WEEKS[1])
    assert found is not None and found.version == first
    before = found.before()
    assert (before.version, before.examples, before.rates) == (first, 10, {"1": Rate(2, 10)})
    assert statistics_of(registry, found) == WEEKS[0].key.encode()
    own = last_run(registry, WEEKS[2])
    assert own is not None and own.version == first != later
    again = publish(registry, tmp_path / "again", identity(date(2026, 8, 10), units=16))
    assert last_run(registry, WEEKS[1]).version == again  # of one window the last published


def test_versions_that_no_retraining_made_are_passed_over(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "by-hand").mkdir()
    (tmp_path / "by-hand" / "model_card.json").write_text(json.dumps({"metrics": {"auc": 0.7}}))
    registry.publish(tmp_path / "by-hand", *MODEL)
    assert list(known_versions(registry, *MODEL)) == [] and last_run(registry, WEEKS[0]) is None


def test_a_file_that_no_retraining_wrote_is_named(registry: Registry, tmp_path: Path) -> None:
    version = publish(registry, tmp_path / "m", WEEKS[0], checks={})
    with pytest.raises(RegistryError, match=f"retraining.json of behavior/purchase {version} is not what a retraining"):
        list(known_versions(registry, *MODEL))
