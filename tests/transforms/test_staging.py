"""Staging: whole or absent."""

from pathlib import Path

import pytest

from features.storage import StorageError
from transforms.staging import OutputExistsError, Staging


def test_the_folder_appears_whole_when_published(tmp_path: Path) -> None:
    final = tmp_path / "data"
    staging = Staging.begin(str(final), overwrite=False)
    Path(staging.work).mkdir()
    Path(staging.work, "part").write_text("x")
    assert not final.exists()
    staging.publish("card", b"{}")
    assert sorted(path.name for path in final.iterdir()) == ["card", "part"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_output_that_is_there_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    final = tmp_path / "data"
    final.mkdir()
    (final / "old").write_text("x")
    with pytest.raises(OutputExistsError, match=r"data holds files already; .*--overwrite"):
        Staging.begin(str(final), overwrite=False)
    staging = Staging.begin(str(final), overwrite=True)
    with pytest.raises(StorageError, match=r"cannot overwrite .*data: it holds no card, so it is something else"):
        staging.clear("card")
    (final / "card").write_text("{}")
    staging.clear("card")
    assert (final / "old").exists()  # what is there stays until the new one is whole
    staging.publish("card", b"{}")
    assert [path.name for path in final.iterdir()] == ["card"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_another_job_put_there_in_the_meantime_stays(tmp_path: Path) -> None:
    staging = Staging.begin(str(tmp_path / "data"), overwrite=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "theirs").write_text("x")
    with pytest.raises(StorageError, match=r"cannot write .*data: it exists already; choose another path"):
        staging.publish("card", b"{}")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["theirs"]


def test_what_failed_is_discarded(tmp_path: Path) -> None:
    staging = Staging.begin(str(tmp_path / "data"), overwrite=False)
    Path(staging.work).mkdir()
    staging.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_object_store_gets_the_marker_last_and_loses_it_first() -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    files.pipe({"/bucket/data/card": b"{}", "/bucket/data/part": b"old"})
    with pytest.raises(OutputExistsError):
        Staging.begin("memory://bucket/data", overwrite=False)
    staging = Staging.begin("memory://bucket/data", overwrite=True)
    assert staging.work == staging.final == "memory://bucket/data"
    staging.clear("card")
    assert files.find("/bucket/data") == []
    staging.publish("card", b"new")
    assert files.cat("/bucket/data/card") == b"new"
