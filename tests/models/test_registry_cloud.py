"""The registry over the protocol of Google Cloud Storage, against a real server."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from features.storage import atomic_write, list_files, read_bytes
from models.gates import GateResult
from models.pointer import Held, open_pointer
from models.registry import Check, ConflictError, IntegrityError, Registry, RegistryError

MODEL = ("behavior", "purchase")
FIRST_US = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z
Write = Callable[..., Path]


@pytest.fixture
def cloud(
    tmp_path: Path, clock: Callable[[], int], new_bucket: Callable[[str], str], request: pytest.FixtureRequest
) -> Registry:
    bucket = new_bucket(f"registry-{zlib.crc32(request.node.name.encode())}")
    return Registry(f"{bucket}/models", cache=tmp_path / "cache", now_us=clock)


def test_the_cloud_does_all_that_a_disk_does(
    tmp_path: Path, cloud: Registry, write_model: Write, passes: Check
) -> None:
    versions = [cloud.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL) for auc in (0.7, 0.8)]
    assert cloud.versions(*MODEL) == versions
    assert cloud.publish(tmp_path / "m0.8", *MODEL) == versions[1]
    folder = cloud.open_version(*MODEL, versions[0])
    assert folder == tmp_path / "cache" / "behavior" / "purchase" / versions[0]
    assert (folder / "golden" / "instances.parquet").read_bytes() == b"rows"
    cloud.promote(*MODEL, versions[0], passes)
    cloud.promote(*MODEL, versions[1], passes)
    assert cloud.rollback(*MODEL).version == versions[0]
    told = [(line["action"], line["version"]) for line in cloud.history(*MODEL)]
    assert told == [
        ("publish", versions[0]),
        ("publish", versions[1]),
        ("promote", versions[0]),
        ("promote", versions[1]),
        ("rollback", versions[0]),
    ]


def test_the_cloud_refuses_the_loser_of_a_race(
    tmp_path: Path, cloud: Registry, write_model: Write, passes: Check
) -> None:
    versions = [cloud.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL) for auc in (0.7, 0.8)]

    def somebody_is_faster(candidate: Path, champion: Path | None) -> list[GateResult]:
        cloud.promote(*MODEL, versions[1], passes, by="bob")
        return passes(candidate, champion)

    with pytest.raises(ConflictError, match="the champion is now .* by bob"):
        cloud.promote(*MODEL, versions[0], somebody_is_faster, by="ann")


def test_the_cloud_never_makes_two_champions(
    tmp_path: Path, new_bucket: Callable[[str], str], write_model: Write, race: Callable[..., None]
) -> None:
    root = f"{new_bucket('registry-race')}/models"
    registry = Registry(root, cache=tmp_path / "cache")
    versions = [registry.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL) for auc in (0.7, 0.8, 0.9)]
    race(root, registry, versions, 2)


def test_without_a_manifest_there_is_no_version_in_the_cloud(
    tmp_path: Path, cloud: Registry, write_model: Write
) -> None:
    version = cloud.publish(write_model(tmp_path / "model"), *MODEL)
    manifest = next(name for name in list_files(cloud.base(*MODEL)) if name.endswith("MANIFEST.json"))
    from google.cloud import storage

    bucket, key = manifest.removeprefix("gs://").split("/", 1)
    storage.Client().bucket(bucket).blob(key).delete()
    assert cloud.versions(*MODEL) == []
    with pytest.raises(RegistryError, match=f"has no version '{version}'"):
        cloud.open_version(*MODEL, version)


def test_a_changed_object_or_copy_is_never_opened(tmp_path: Path, cloud: Registry, write_model: Write) -> None:
    version = cloud.publish(write_model(tmp_path / "model"), *MODEL)
    copy = cloud.open_version(*MODEL, version)
    (copy / "model.pb").write_bytes(b"changed here")
    assert (cloud.open_version(*MODEL, version) / "model.pb").read_bytes() == b"graph" * 100  # fetched again
    shutil.rmtree(copy)
    atomic_write(f"{cloud.base(*MODEL)}/{version}/model.pb", b"changed there")
    with pytest.raises(IntegrityError, match="model.pb is not the file that was published"):
        cloud.open_version(*MODEL, version)
    assert not copy.exists()
    assert list((tmp_path / "cache" / "behavior" / "purchase").iterdir()) == []


def test_a_pointer_is_swapped_only_if_it_is_what_was_read(tmp_path: Path, new_bucket: Callable[[str], str]) -> None:
    for path in (str(tmp_path / "new" / "pointer"), f"{new_bucket('pointer')}/new/pointer"):
        pointer = open_pointer(path)
        nothing = pointer.read()
        assert nothing == Held(None, 0)
        assert pointer.swap(nothing, b"one")
        assert not pointer.swap(nothing, b"two")
        one = pointer.read()
        assert one.content == b"one"
        assert pointer.swap(one, b"three")
        assert not pointer.swap(one, b"four")
        assert read_bytes(path) == b"three"
