"""Publishing and opening versions on a disk: whole, verified, or not at all."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from features.storage import StorageError, atomic_write, list_files
from models.pointer import UnsupportedStorageError
from models.registry import Check, Difference, IntegrityError, Registry, RegistryError

MODEL = ("behavior", "purchase")
FIRST_US = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z
Write = Callable[..., Path]


def test_a_version_is_named_by_time_and_content_and_opens_whole(
    tmp_path: Path, registry: Registry, write_model: Write
) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    manifest = registry.manifest(*MODEL, version)
    assert version == f"20260202T024000Z-{manifest.digest[:16]}"
    assert manifest.files["golden/instances.parquet"].sha256 == (  # printf rows | sha256sum
        "bc51e9e65d79e1c90ba544ab2eae1044ccdf8c1af7a559ba375cba4276f7d99e"
    )
    assert manifest.size == 500 + 4 + len((tmp_path / "model" / "model_card.json").read_bytes())
    folder = registry.open_version(*MODEL, version)
    assert (folder / "model.pb").read_bytes() == b"graph" * 100
    assert sorted(p.name for p in folder.iterdir()) == ["MANIFEST.json", "golden", "model.pb", "model_card.json"]


def test_the_same_content_is_the_same_version(tmp_path: Path, registry: Registry, write_model: Write) -> None:
    first = registry.publish(write_model(tmp_path / "a"), *MODEL)
    assert registry.publish(write_model(tmp_path / "b"), *MODEL) == first
    assert registry.publish(registry.open_version(*MODEL, first), *MODEL) == first
    assert registry.versions(*MODEL) == [first]
    assert len(registry.history(*MODEL)) == 1


def test_versions_sort_by_time_and_models_are_apart(registry: Registry, versions: list[str], tmp_path: Path) -> None:
    assert registry.versions(*MODEL) == versions == sorted(versions)
    assert registry.versions("behavior", "signup") == []
    other = registry.publish(tmp_path / "m0.7", "behavior", "signup")
    assert registry.versions("behavior", "signup") == [other]
    assert registry.versions(*MODEL) == versions


def test_a_published_version_does_not_follow_its_source(tmp_path: Path, registry: Registry, write_model: Write) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    (tmp_path / "model" / "model.pb").write_bytes(b"changed")
    assert (registry.open_version(*MODEL, version) / "model.pb").read_bytes() == b"graph" * 100


@pytest.mark.parametrize("name", ["weights.pkl", "a.PICKLE", "sub/model.joblib", "model.pt", "model.pt.gz", "w.pth"])
def test_files_that_could_run_code_are_not_published(
    tmp_path: Path, registry: Registry, name: str, write_model: Write
) -> None:
    atomic_write(write_model(tmp_path / "model") / name, b"")
    with pytest.raises(IntegrityError, match="could run code when it is read; export the model without"):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.versions(*MODEL) == []


def test_links_and_hidden_files_are_not_published(tmp_path: Path, registry: Registry, write_model: Write) -> None:
    link = write_model(tmp_path / "model") / "link"
    link.symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match="link is a symbolic link; replace it by the file itself"):
        registry.publish(tmp_path / "model", *MODEL)
    link.unlink()
    atomic_write(tmp_path / "model" / ".DS_Store", b"")
    with pytest.raises(IntegrityError, match="'.DS_Store' is hidden; remove it"):
        registry.publish(tmp_path / "model", *MODEL)


def test_a_folder_that_is_no_model_is_not_published(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(RegistryError, match="none is no folder, so it cannot be published; name a trained"):
        registry.publish(tmp_path / "none", *MODEL)
    atomic_write(tmp_path / "model" / "model.pb", b"")
    with pytest.raises(RegistryError, match="model holds no model_card.json, so it cannot be published"):
        registry.publish(tmp_path / "model", *MODEL)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"family": "attention"}, r"model is a model of attention, not of behavior; publish it as attention/purchase$"),
        (
            {"family": "behavior", "part": "recognizer"},
            r"model is a recognizer, which answers nothing by itself; `augury train creative --recognizer",
        ),
        ([], r"model holds no readable card"),
        (None, r"model_card.json is not JSON \(.*\); train again$"),
    ],
)
def test_what_its_family_cannot_serve_is_not_published(
    tmp_path: Path, registry: Registry, card: object, said: str
) -> None:
    atomic_write(tmp_path / "model" / "model_card.json", "{" if card is None else json.dumps(card))
    with pytest.raises(RegistryError, match=said):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.names("behavior") == []


def test_a_publication_that_fails_leaves_no_model(tmp_path: Path, registry: Registry, write_model: Write) -> None:
    atomic_write(write_model(tmp_path / "model") / "code.pkl", b"")
    with pytest.raises(IntegrityError):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.names("behavior") == []
    (tmp_path / "model" / "code.pkl").unlink()
    registry.publish(tmp_path / "model", *MODEL)
    assert registry.names("behavior") == ["purchase"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 65, "a\n"])
def test_an_impossible_name_is_refused(tmp_path: Path, registry: Registry, name: str, write_model: Write) -> None:
    with pytest.raises(RegistryError, match="is no name of a model; expected up to 64 of a-z, 0-9, _ and -"):
        registry.publish(write_model(tmp_path / "model"), "behavior", name)
    with pytest.raises(RegistryError, match="is no name of a family"):
        registry.champion(name, "purchase")


@pytest.mark.parametrize("version", ["20260202T024000Z-0123456789abcdef", "../purchase", "", "champion.json"])
def test_an_unknown_version_names_those_there_are(registry: Registry, versions: list[str], version: str) -> None:
    with pytest.raises(RegistryError) as caught:
        registry.open_version(*MODEL, version)
    assert f"behavior/purchase has no version {version!r} in " in str(caught.value)
    assert str(caught.value).endswith(f"; it has {', '.join(versions)}")


def _change(folder: Path) -> None:
    (folder / "model.pb").chmod(0o644)
    (folder / "model.pb").write_bytes(b"GRAPH" * 100)


def _link(folder: Path) -> None:
    (folder / "model.pb").rename(folder.parent / "elsewhere")
    (folder / "model.pb").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change, r"model.pb is not the file that was published; restore it from a copy, or remove the version and"),
        (lambda folder: (folder / "model.pb").unlink(), r"model.pb is missing; restore it"),
        (lambda folder: atomic_write(folder / "extra.txt", b""), r"extra.txt is not in MANIFEST.json; remove it"),
        (_link, r"model.pb is a symbolic link"),
        (lambda folder: atomic_write(folder / "MANIFEST.json", b"{}"), r"MANIFEST.json is not a manifest \(KeyError"),
        (lambda folder: atomic_write(folder / "MANIFEST.json", b"\xff"), r"MANIFEST.json is not a manifest"),
        (lambda folder: atomic_write(folder / "MANIFEST.json", '{"format": 2}'), r"has format 2; this release reads"),
    ],
)
def test_a_damaged_version_is_never_opened(
    tmp_path: Path, registry: Registry, damage: Callable[[Path], None], message: str, write_model: Write, passes: Check
) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    damage(registry.open_version(*MODEL, version))
    with pytest.raises(IntegrityError, match=message):
        registry.open_version(*MODEL, version)
    with pytest.raises(IntegrityError):
        registry.promote(*MODEL, version, passes)
    assert registry.champion(*MODEL) is None


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a//b", "a/./b", "", "a\\b", ".hidden", "model.pkl"])
def test_a_manifest_with_an_unsafe_path_is_refused(
    tmp_path: Path, registry: Registry, path: str, write_model: Write
) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    manifest = registry.open_version(*MODEL, version) / "MANIFEST.json"
    told = json.loads(manifest.read_bytes())
    told["files"][path] = told["files"]["model.pb"]
    atomic_write(manifest, json.dumps(told))
    with pytest.raises(IntegrityError, match="is no relative path|is hidden|could run code"):
        registry.open_version(*MODEL, version)


def test_a_manifest_that_vouches_for_other_files_is_refused(
    tmp_path: Path, registry: Registry, write_model: Write
) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    folder = registry.open_version(*MODEL, version)
    told = json.loads((folder / "MANIFEST.json").read_bytes())
    told["files"]["model.pb"]["size"] = 1
    atomic_write(folder / "MANIFEST.json", json.dumps(told))
    with pytest.raises(IntegrityError, match="does not match its own digest: it was changed"):
        registry.open_version(*MODEL, version)
    shutil.copytree(folder, folder.parent / "20270202T024000Z-0123456789abcdef")
    with pytest.raises(IntegrityError, match="does not match its own digest|manifest of another version"):
        registry.open_version(*MODEL, "20270202T024000Z-0123456789abcdef")


def test_versions_compare_by_their_metrics(
    tmp_path: Path, registry: Registry, versions: list[str], write_model: Write
) -> None:
    atomic_write(
        write_model(tmp_path / "more") / "model_card.json", json.dumps({"metrics": {"auc": 0.5, "brier": 0.1}})
    )
    other = registry.publish(tmp_path / "more", *MODEL)
    assert registry.compare(*MODEL, versions[0], other) == [
        Difference("auc", 0.7, 0.5),
        Difference("brier", None, 0.1),
        Difference("ece", 0.01, None),
    ]


def test_a_full_disk_publishes_nothing(
    tmp_path: Path, tiny_disk: Path, clock: Callable[[], int], write_model: Write
) -> None:
    registry = Registry(tiny_disk / "registry", now_us=clock)
    atomic_write(write_model(tmp_path / "model") / "weights", b"x" * 200_000)
    with pytest.raises(StorageError, match="the disk is full; free some space or choose another folder"):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.versions(*MODEL) == []
    assert list_files(tiny_disk) == []


def test_a_registry_needs_a_storage_with_compare_and_swap(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedStorageError, match="memory://r/b/p/champion.json: expected a local path or a gs://"):
        Registry("memory://r").champion("b", "p")


_KILLED = """
import sys
from models.registry import Registry
def blocked():
    print("everything but the last step is done", flush=True)
    sys.stdin.readline()
    return 1
Registry(sys.argv[1], now_us=blocked).publish(sys.argv[2], "behavior", "purchase")
"""


def test_a_publisher_that_is_killed_leaves_nothing_visible(
    tmp_path: Path, registry: Registry, write_model: Write, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    model = write_model(tmp_path / "model")
    child = start(_KILLED, str(tmp_path / "registry"), str(model))
    try:
        assert child.stdout is not None and child.stdout.readline().startswith("everything")
    finally:
        child.kill()
        child.communicate()
    base = tmp_path / "registry" / "behavior" / "purchase"
    assert [name for name in os.listdir(base) if name.startswith(".staged-")] != []
    assert registry.versions(*MODEL) == []
    assert registry.history(*MODEL) == []
    assert list_files(tmp_path / "registry") == []
    version = registry.publish(model, *MODEL)
    assert registry.versions(*MODEL) == [version]
    assert [name for name in os.listdir(base) if name.startswith(".staged-")] == []


_PUBLISHER = """
import sys
from models.registry import Registry
print("ready", flush=True)
sys.stdin.readline()
print(Registry(sys.argv[1]).publish(sys.argv[2], "behavior", "purchase"))
"""


def test_processes_that_publish_the_same_get_one_version(
    tmp_path: Path, registry: Registry, write_model: Write, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    model = write_model(tmp_path / "model")
    children = [start(_PUBLISHER, str(tmp_path / "registry"), str(model)) for _ in range(3)]
    assert [child.stdout and child.stdout.readline() for child in children] == ["ready\n"] * 3
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    printed = {child.communicate()[0].strip() for child in children}
    assert printed == set(registry.versions(*MODEL))
    assert len(printed) == 1
    assert [line["action"] for line in registry.history(*MODEL)] == ["publish"]
