import os
from datetime import date
from pathlib import Path

import pytest

from augury.retraining.errors import RunError
from augury.retraining.provenance import Identity
from augury.retraining.run_folder import RunFolder
from augury.retraining.window import DataWindow
from features.storage import StorageError

WEEK = DataWindow(date(2026, 8, 17), date(2026, 8, 24))


def identity(**more) -> Identity:
    given = {"family": "behavior", "name": "purchase", "window": WEEK, "code": "c1", "options": {"train": {"units": 8}}}
    return Identity(**{**given, **more})


def test_a_run_decides_once_and_goes_on_with_that(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    first = folder.begin(identity(), lambda: {"last_run": "v1"})
    assert (first["last_run"], first["window"]) == ("v1", {"first": "2026-08-17", "end": "2026-08-24"})
    assert folder.begin(identity(), lambda: {"last_run": "v2"}) == first


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"window": DataWindow(date(2026, 8, 10), date(2026, 8, 17))}, "its window is"),
        ({"code": "c2"}, 'its code is "c1", not "c2"'),
        ({"options": {"train": {"units": 16}}}, 'its options is {"train": {"units": 8}}, not {"train": {"units": 16}}'),
        ({"name": "soon"}, 'its name is "purchase", not "soon"'),
    ],
)
def test_the_folder_of_another_run_is_refused(tmp_path: Path, other: dict, what: str) -> None:
    RunFolder(tmp_path).begin(identity(), dict)
    with pytest.raises(RunError, match=f"is the folder of another run: {what}".replace("{", r"\{")) as caught:
        RunFolder(tmp_path).begin(identity(**other), dict)
    assert "\n" not in str(caught.value)


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="holds 'thesis.tex' and is no run's folder"):
        RunFolder(tmp_path).begin(identity(), dict)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_result_is_there_when_it_is_written_and_damage_is_said(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.result("train") is None
    assert folder.record("train", {"folder": "model"}) == {"folder": "model"} == folder.result("train")
    folder.forget("train")
    assert folder.result("train") is None
    (tmp_path / "checks.json").write_text('{"findings":')
    with pytest.raises(RunError, match="checks.json is not what a run wrote .*; remove .* and run again"):
        folder.result("checks")


def test_a_full_disk_is_one_clear_line(tiny_disk: Path) -> None:
    folder = RunFolder(tiny_disk / "run")
    folder.begin(identity(), dict)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        folder.record("checks", {"measures": ["x" * 100] * 2000})
    assert folder.result("checks") is None
    assert os.listdir(tiny_disk / "run") == ["run.json"]


def test_the_key_is_of_all_that_decides_a_version() -> None:
    others = [{"name": "soon"}, {"code": "c2"}, {"options": {}}, {"window": DataWindow(WEEK.first, date(2026, 8, 25))}]
    keys = {identity(**other).key for other in [{}, *others]}
    assert len(keys) == 5 and identity().key == identity(options={"train": {"units": 8}}).key
