"""Writing and reading on local disks and on fsspec's in-memory object store."""

import errno
import logging
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from features.storage import (
    StorageError,
    atomic_write,
    check_replaceable,
    exists,
    list_files,
    local_folder,
    open_atomic,
    read_bytes,
    read_text,
    write_folder_atomic,
)


def _all_names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Gives up the superuser's right to write everywhere, for tests of permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_written_file_reads_back_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    atomic_write(path, b"first")
    atomic_write(path, "second é")
    assert read_bytes(path) == "second é".encode()
    assert read_text(path) == "second é"
    assert _all_names(tmp_path) == ["new", "new/folder", "new/folder/a.json"]


def test_text_mode_writes_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "a.txt", "w") as file:
        file.write("é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    atomic_write(tmp_path / "a", b"old")
    with pytest.raises(error), open_atomic(tmp_path / "a") as file:
        file.write(b"half of the n")
        raise error
    assert read_bytes(tmp_path / "a") == b"old"
    assert _all_names(tmp_path) == ["a"]


def test_nothing_shows_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    with open_atomic(tmp_path / "a") as file:
        file.write(b"x")
        file.flush()
        assert not (tmp_path / "a").exists()
        assert list_files(tmp_path) == []
    assert list_files(tmp_path) == [str(tmp_path / "a")]


def test_a_full_disk_is_one_line_and_leaves_nothing(tiny_disk: Path) -> None:
    with pytest.raises(StorageError) as caught:
        atomic_write(tiny_disk / "big", b"x" * 200_000)
    assert str(caught.value) == (
        f"cannot write {tiny_disk / 'big'}: the disk is full; free some space or choose another folder"
    )
    assert caught.value.errno == errno.ENOSPC
    assert _all_names(tiny_disk) == []


def test_a_full_disk_leaves_no_half_folder(tiny_disk: Path) -> None:
    with pytest.raises(StorageError, match="model: the disk is full; free some space"):
        with write_folder_atomic(tiny_disk / "model") as folder:
            with open(folder / "weights", "wb") as file:
                file.write(b"x" * 200_000)
    assert _all_names(tiny_disk) == []


def test_a_file_size_limit_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "big", b"old")
    with _file_size_limit(10_000), pytest.raises(StorageError, match=r"big: the file would pass the size limit"):
        atomic_write(tmp_path / "big", b"x" * 200_000)
    assert read_bytes(tmp_path / "big") == b"old"
    assert _all_names(tmp_path) == ["big"]


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with _unprivileged(), pytest.raises(StorageError, match="permission denied; choose another path or change its"):
        atomic_write(folder / "a", b"x")
    folder.chmod(0o700)
    assert _all_names(folder) == []


def test_a_parent_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    atomic_write(tmp_path / "file", b"")
    with pytest.raises(StorageError, match=r"cannot write .*file/a: .*; choose another path"):
        atomic_write(tmp_path / "file" / "a", b"x")


def test_a_folder_is_not_overwritten_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="it is a folder, not a file; name a file inside it"):
        atomic_write(tmp_path / "folder", b"x")
    assert _all_names(tmp_path) == ["folder"]


def test_an_error_about_another_file_keeps_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, open_atomic(tmp_path / "a"):
        (tmp_path / "missing").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing")


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode is 'ab'; expected 'wb' or 'w'"), open_atomic(tmp_path / "a", "ab"):
        pass


def test_reading_what_is_missing_names_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        read_bytes(tmp_path / "none.json")
    assert str(caught.value) == f"cannot read {tmp_path / 'none.json'}: no such file, folder or bucket; check the path"
    assert isinstance(caught.value, OSError)


def test_reading_text_that_is_not_utf8_names_the_byte(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"ab\xff")
    with pytest.raises(StorageError, match="byte 2 is not UTF-8; save the file as UTF-8"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("path", ["nonsense://bucket/key", ""])
def test_a_path_without_a_file_system_is_refused(path: str) -> None:
    with pytest.raises(StorageError, match="expected a local path or a gs:// URL"):
        read_bytes(path)


def test_exists_sees_files_and_folders(tmp_path: Path) -> None:
    atomic_write(tmp_path / "folder" / "a", b"")
    assert exists(tmp_path / "folder")
    assert exists(tmp_path / "folder" / "a")
    assert not exists(tmp_path / "folder" / "b")


def test_listing_globs_folders_and_literal_names(tmp_path: Path) -> None:
    for name in ["b.txt", "a.txt", "c.json", "x[1].txt", "sub/d.txt", "sub/.hidden/e.txt", ".f.txt.tmp"]:
        atomic_write(tmp_path / name, b"")
    base = str(tmp_path)
    assert list_files(f"{base}/*.txt") == [f"{base}/a.txt", f"{base}/b.txt", f"{base}/x[1].txt"]
    assert list_files(f"{base}/x[1].txt") == [f"{base}/x[1].txt"]
    assert list_files(f"{base}/sub") == [f"{base}/sub/d.txt"]
    assert list_files(tmp_path) == [f"{base}/{n}" for n in ["a.txt", "b.txt", "c.json", "sub/d.txt", "x[1].txt"]]
    assert list_files(f"{base}/*.parquet") == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with write_folder_atomic(tmp_path / "model") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_bytes(b"1")
        assert not (tmp_path / "model").exists()
    assert _all_names(tmp_path) == ["model", "model/sub", "model/sub/a"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_with_an_error_does_not_appear(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), write_folder_atomic(tmp_path / "model") as folder:
        (folder / "a").write_bytes(b"1")
        raise error
    assert _all_names(tmp_path) == []


def test_a_folder_in_use_is_refused_before_any_work(tmp_path: Path) -> None:
    atomic_write(tmp_path / "model" / "a", b"old")
    with pytest.raises(StorageError, match="model: it exists already; choose another path or remove it first"):
        with write_folder_atomic(tmp_path / "model"):
            pytest.fail("the block must not run")
    assert read_bytes(tmp_path / "model" / "a") == b"old"


def test_a_folder_is_replaced_only_when_asked(tmp_path: Path) -> None:
    atomic_write(tmp_path / "model" / "a", b"old")
    with write_folder_atomic(tmp_path / "model", overwrite=True) as folder:
        (folder / "b").write_bytes(b"new")
    assert _all_names(tmp_path) == ["model", "model/b"]


@pytest.fixture
def bucket() -> Iterator[str]:
    yield "memory://storage-test"
    fsspec.filesystem("memory").rm("/storage-test", recursive=True)


def test_a_remote_folder_gets_its_files_when_all_are_there(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded = []
    put = MemoryFileSystem.put_file
    monkeypatch.setattr(MemoryFileSystem, "put_file", lambda self, *a, **k: uploaded.append(a[1]) or put(self, *a, **k))
    model = f"{bucket}/model"
    with write_folder_atomic(model) as folder:
        for name in ("model_card.json", "weights", "golden/rows"):
            atomic_write(folder / name, name)
        assert list_files(model) == []
    assert [name.removeprefix("/storage-test/model/") for name in uploaded] == [
        "golden/rows",
        "weights",
        "model_card.json",
    ]
    copy = local_folder(model)
    assert _all_names(copy) == ["golden", "golden/rows", "model_card.json", "weights"]
    assert (copy / "golden/rows").read_text() == "golden/rows"
    with pytest.raises(StorageError, match="model: it exists already; choose another path or remove it first"):
        with write_folder_atomic(model):
            pytest.fail("the block must not run")
    with write_folder_atomic(model, overwrite=True) as folder:
        atomic_write(folder / "other", "1")
    assert [name.rsplit("/", 1)[-1] for name in list_files(model)] == ["other"]


def test_a_remote_folder_with_an_error_gets_nothing(bucket: str) -> None:
    with pytest.raises(KeyboardInterrupt), write_folder_atomic(f"{bucket}/model") as folder:
        atomic_write(folder / "a", "1")
        raise KeyboardInterrupt
    assert list_files(f"{bucket}/model") == []
    atomic_write(f"{bucket}/there", "1")


def test_a_local_folder_is_itself_and_one_that_is_nowhere_is_told(tmp_path: Path, bucket: str) -> None:
    assert local_folder(tmp_path) == tmp_path
    with pytest.raises(StorageError, match="none: no such file, folder or bucket; check the path"):
        local_folder(f"{bucket}/none")
    atomic_write(f"{bucket}/there", "1")


def test_only_an_output_of_the_same_kind_is_replaceable_there_too(bucket: str) -> None:
    check_replaceable(f"{bucket}/new", "card.json")
    atomic_write(f"{bucket}/mine/a", "1")
    with pytest.raises(StorageError, match="mine: it holds no card.json, so it is something else"):
        check_replaceable(f"{bucket}/mine", "card.json")
    atomic_write(f"{bucket}/mine/card.json", "1")
    check_replaceable(f"{bucket}/mine", "card.json")


def test_remote_files_are_written_listed_and_read(bucket: str) -> None:
    atomic_write(f"{bucket}/sub/a.txt", "é")
    atomic_write(f"{bucket}/sub/b.txt", b"2")
    assert read_text(f"{bucket}/sub/a.txt") == "é"
    assert exists(f"{bucket}/sub/a.txt")
    assert not exists(f"{bucket}/sub/c.txt")
    found = list_files(f"{bucket}/sub/*.txt")
    assert [name.rsplit("/", 1)[1] for name in found] == ["a.txt", "b.txt"]
    assert read_bytes(found[1]) == b"2"
    assert list_files(f"{bucket}/sub") == found


def test_a_failed_remote_write_uploads_nothing(bucket: str) -> None:
    atomic_write(f"{bucket}/a", b"old")
    with pytest.raises(KeyboardInterrupt), open_atomic(f"{bucket}/b") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list_files(bucket) == ["memory:///storage-test/a"]


def test_the_cloud_is_written_listed_and_read(new_bucket: Callable[[str], str]) -> None:
    bucket = new_bucket("storage-files")
    atomic_write(f"{bucket}/sub/a.txt", "é")
    atomic_write(f"{bucket}/sub/b.bin", b"x" * 6_000_000)  # more than one request
    assert read_text(f"{bucket}/sub/a.txt") == "é"
    assert read_bytes(f"{bucket}/sub/b.bin") == b"x" * 6_000_000
    assert list_files(f"{bucket}/sub/*.txt") == [f"{bucket}/sub/a.txt"]
    assert list_files(bucket) == [f"{bucket}/sub/a.txt", f"{bucket}/sub/b.bin"]
    assert exists(f"{bucket}/sub")
    assert not exists(f"{bucket}/other")


def test_a_missing_object_or_bucket_is_one_line(new_bucket: Callable[[str], str]) -> None:
    bucket = new_bucket("storage-missing")
    with pytest.raises(
        StorageError, match=f"cannot read {bucket}/none: no such file, folder or bucket; check the path"
    ):
        read_bytes(f"{bucket}/none")
    with pytest.raises(StorageError, match="cannot write gs://storage-none/a: no such file, folder or bucket"):
        atomic_write("gs://storage-none/a", b"")


def test_what_gcsfs_logs_is_told_in_one_line_only(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("gcsfs").error("_request out of retries", exc_info=OSError("no network"))
    assert caplog.text == ""
