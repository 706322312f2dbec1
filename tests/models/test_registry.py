"""Publishing, opening, promoting, rolling back: on a disk, in a race of processes, and over the cloud's protocol."""

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from features.storage import StorageError, atomic_write, list_files, read_bytes
from models.gates import GateResult
from models.pointer import Held, UnsupportedStorageError, open_pointer
from models.registry import ConflictError, Difference, IntegrityError, RefusedError, Registry, RegistryError

FIRST_US = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z
ROOT = Path(__file__).resolve().parents[2]
MODEL = ("behavior", "purchase")


def passes(candidate: Path, champion: Path | None) -> list[GateResult]:
    return [GateResult("metrics", True, "good enough")]


def fails(candidate: Path, champion: Path | None) -> list[GateResult]:
    return [GateResult("metrics", True, "good enough"), GateResult("calibration", False, "ece is 0.5")]


def write_model(folder: Path, auc: float = 0.8) -> Path:
    atomic_write(folder / "model_card.json", json.dumps({"metrics": {"auc": auc, "ece": 0.01}}))
    atomic_write(folder / "model.pb", b"graph" * 100)
    atomic_write(folder / "golden" / "instances.parquet", b"rows")
    return folder


@pytest.fixture
def clock() -> Callable[[], int]:
    """Gives a minute more at every look."""
    ticks = iter(range(FIRST_US, FIRST_US + 10**12, 60_000_000))
    return lambda: next(ticks)


@pytest.fixture
def registry(tmp_path: Path, clock: Callable[[], int]) -> Registry:
    return Registry(tmp_path / "registry", now_us=clock)


@pytest.fixture
def versions(tmp_path: Path, registry: Registry) -> list[str]:
    """Three published versions with an AUC of 0.7, 0.8 and 0.9."""
    return [registry.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL, by="ann") for auc in (0.7, 0.8, 0.9)]


def test_a_version_is_named_by_time_and_content_and_opens_whole(tmp_path: Path, registry: Registry) -> None:
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


def test_the_same_content_is_the_same_version(tmp_path: Path, registry: Registry) -> None:
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


def test_a_published_version_does_not_follow_its_source(tmp_path: Path, registry: Registry) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    (tmp_path / "model" / "model.pb").write_bytes(b"changed")
    assert (registry.open_version(*MODEL, version) / "model.pb").read_bytes() == b"graph" * 100


@pytest.mark.parametrize("name", ["weights.pkl", "a.PICKLE", "sub/model.joblib", "model.pt", "model.pt.gz", "w.pth"])
def test_files_that_could_run_code_are_not_published(tmp_path: Path, registry: Registry, name: str) -> None:
    atomic_write(write_model(tmp_path / "model") / name, b"")
    with pytest.raises(IntegrityError, match="could run code when it is read; export the model without"):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.versions(*MODEL) == []


def test_links_and_hidden_files_are_not_published(tmp_path: Path, registry: Registry) -> None:
    link = write_model(tmp_path / "model") / "link"
    link.symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match="link is a symbolic link; replace it by the file itself"):
        registry.publish(tmp_path / "model", *MODEL)
    link.unlink()
    atomic_write(tmp_path / "model" / ".DS_Store", b"")
    with pytest.raises(IntegrityError, match="'.DS_Store' is hidden; remove it"):
        registry.publish(tmp_path / "model", *MODEL)


def test_a_folder_that_is_no_model_is_not_published(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(RegistryError, match="none is no local folder, so it cannot be published; name a trained"):
        registry.publish(tmp_path / "none", *MODEL)
    atomic_write(tmp_path / "model" / "model.pb", b"")
    with pytest.raises(RegistryError, match="model holds no model_card.json, so it cannot be published"):
        registry.publish(tmp_path / "model", *MODEL)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 65, "a\n"])
def test_an_impossible_name_is_refused(tmp_path: Path, registry: Registry, name: str) -> None:
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
    tmp_path: Path, registry: Registry, damage: Callable[[Path], None], message: str
) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    damage(registry.open_version(*MODEL, version))
    with pytest.raises(IntegrityError, match=message):
        registry.open_version(*MODEL, version)
    with pytest.raises(IntegrityError):
        registry.promote(*MODEL, version, passes)
    assert registry.champion(*MODEL) is None


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a//b", "a/./b", "", "a\\b", ".hidden", "model.pkl"])
def test_a_manifest_with_an_unsafe_path_is_refused(tmp_path: Path, registry: Registry, path: str) -> None:
    version = registry.publish(write_model(tmp_path / "model"), *MODEL)
    manifest = registry.open_version(*MODEL, version) / "MANIFEST.json"
    told = json.loads(manifest.read_bytes())
    told["files"][path] = told["files"]["model.pb"]
    atomic_write(manifest, json.dumps(told))
    with pytest.raises(IntegrityError, match="is no relative path|is hidden|could run code"):
        registry.open_version(*MODEL, version)


def test_a_manifest_that_vouches_for_other_files_is_refused(tmp_path: Path, registry: Registry) -> None:
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


def test_the_first_version_to_pass_becomes_champion(registry: Registry, versions: list[str]) -> None:
    assert registry.champion(*MODEL) is None
    seen: list[tuple[str, Path | None]] = []

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        seen.append((candidate.name, champion))
        return passes(candidate, champion)

    champion = registry.promote(*MODEL, versions[0], gates, reason="first", by="ann")
    assert registry.champion(*MODEL) == champion
    assert (champion.version, champion.generation, champion.replaced, champion.by) == (versions[0], 1, None, "ann")
    assert champion.digest == registry.manifest(*MODEL, versions[0]).digest
    assert champion.gates == ({"name": "metrics", "passed": True, "detail": "good enough"},)
    assert seen == [(versions[0], None)]


def test_gates_see_the_present_champion(registry: Registry, versions: list[str]) -> None:
    registry.promote(*MODEL, versions[0], passes)
    seen: list[str] = []

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        seen.append(champion.name if champion else "none")
        return passes(candidate, champion)

    registry.promote(*MODEL, versions[1], gates)
    assert seen == [versions[0]]


def test_a_version_that_fails_a_gate_is_refused_and_written_down(registry: Registry, versions: list[str]) -> None:
    registry.promote(*MODEL, versions[0], passes)
    with pytest.raises(RefusedError, match="is not promoted: calibration: ece is 0.5") as caught:
        registry.promote(*MODEL, versions[1], fails, reason="hope", by="bob")
    assert [result.passed for result in caught.value.results] == [True, False]
    champion = registry.champion(*MODEL)
    assert champion is not None and champion.version == versions[0]
    line = registry.history(*MODEL)[-1]
    assert (line["action"], line["version"], line["by"], line["reason"]) == ("refuse", versions[1], "bob", "hope")
    assert [gate["passed"] for gate in line["gates"]] == [True, False]


def test_without_any_gate_nothing_is_promoted(registry: Registry, versions: list[str]) -> None:
    with pytest.raises(RefusedError, match="is not promoted: no gate was tried"):
        registry.promote(*MODEL, versions[0], lambda candidate, champion: [])


def test_promoting_the_champion_again_changes_nothing(registry: Registry, versions: list[str]) -> None:
    champion = registry.promote(*MODEL, versions[0], passes)
    assert registry.promote(*MODEL, versions[0], fails) == champion
    assert [line["action"] for line in registry.history(*MODEL)] == ["publish", "publish", "publish", "promote"]


def test_rolling_back_walks_back_through_the_champions(registry: Registry, versions: list[str]) -> None:
    for version in versions:
        registry.promote(*MODEL, version, passes)
    champion = registry.rollback(*MODEL, reason="complaints", by="bob")
    assert (champion.version, champion.replaced, champion.generation) == (versions[1], versions[2], 4)
    assert registry.rollback(*MODEL).version == versions[0]
    with pytest.raises(RegistryError) as caught:
        registry.rollback(*MODEL)
    assert str(caught.value) == (
        f"behavior/purchase has {versions[0]}, its first champion, so there is nothing to roll back to; "
        "promote a version"
    )
    promoted = registry.promote(*MODEL, versions[2], passes)
    assert (promoted.generation, promoted.predecessors) == (6, (versions[0],))


def test_rolling_back_without_a_champion_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="has no champion, so there is nothing to roll back to; promote a version"):
        registry.rollback(*MODEL)


def test_rolling_back_to_a_damaged_version_is_refused(registry: Registry, versions: list[str]) -> None:
    registry.promote(*MODEL, versions[0], passes)
    champion = registry.promote(*MODEL, versions[1], passes)
    _change(registry.open_version(*MODEL, versions[0]))
    with pytest.raises(IntegrityError):
        registry.rollback(*MODEL)
    assert registry.champion(*MODEL) == champion


def test_the_history_says_who_replaced_whom_when_and_why(registry: Registry, versions: list[str]) -> None:
    registry.promote(*MODEL, versions[0], passes, reason="first", by="ann")
    registry.promote(*MODEL, versions[1], passes, reason="better", by="bob")
    registry.rollback(*MODEL, reason="worse after all", by="ann")
    told = [
        (line["action"], line["version"], line.get("replaced"), line["by"], line.get("reason"))
        for line in registry.history(*MODEL)
    ]
    assert told == [
        ("publish", versions[0], None, "ann", None),
        ("publish", versions[1], None, "ann", None),
        ("publish", versions[2], None, "ann", None),
        ("promote", versions[0], None, "ann", "first"),
        ("promote", versions[1], versions[0], "bob", "better"),
        ("rollback", versions[0], versions[1], "ann", "worse after all"),
    ]
    times = [line["at_us"] for line in registry.history(*MODEL)]
    assert times == sorted(times)
    assert times[0] == FIRST_US


def test_a_change_whose_line_was_lost_is_told_and_then_written(
    tmp_path: Path, registry: Registry, versions: list[str]
) -> None:
    registry.promote(*MODEL, versions[0], passes)
    path = tmp_path / "registry" / "behavior" / "purchase" / "history.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))  # killed after the change, before the line
    assert [line["action"] for line in registry.history(*MODEL)] == ["publish", "publish", "publish", "promote"]
    registry.promote(*MODEL, versions[1], passes)
    assert path.read_bytes().startswith(whole)
    assert [line.get("generation") for line in registry.history(*MODEL)] == [None, None, None, 1, 2]


def test_a_lost_race_says_who_won_and_changes_nothing(registry: Registry, versions: list[str]) -> None:
    def somebody_is_faster(candidate: Path, champion: Path | None) -> list[GateResult]:
        registry.promote(*MODEL, versions[1], passes, by="bob")
        return passes(candidate, champion)

    with pytest.raises(ConflictError) as caught:
        registry.promote(*MODEL, versions[0], somebody_is_faster, by="ann")
    assert str(caught.value) == (
        f"the champion is now {versions[1]} (promote by bob), so the promote to {versions[0]} changed nothing; "
        "compare the two and try again"
    )
    champion = registry.champion(*MODEL)
    assert champion is not None and (champion.version, champion.generation) == (versions[1], 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"version": "../../x"}'])
def test_a_torn_pointer_is_never_followed(tmp_path: Path, registry: Registry, content: bytes) -> None:
    registry.publish(write_model(tmp_path / "model"), *MODEL)
    atomic_write(tmp_path / "registry" / "behavior" / "purchase" / "champion.json", content)
    with pytest.raises(IntegrityError, match=r"champion.json is not what the registry wrote .*; restore it from"):
        registry.champion(*MODEL)


def test_versions_compare_by_their_metrics(tmp_path: Path, registry: Registry, versions: list[str]) -> None:
    atomic_write(
        write_model(tmp_path / "more") / "model_card.json", json.dumps({"metrics": {"auc": 0.5, "brier": 0.1}})
    )
    other = registry.publish(tmp_path / "more", *MODEL)
    assert registry.compare(*MODEL, versions[0], other) == [
        Difference("auc", 0.7, 0.5),
        Difference("brier", None, 0.1),
        Difference("ece", 0.01, None),
    ]


def test_a_full_disk_publishes_nothing(tmp_path: Path, tiny_disk: Path, clock: Callable[[], int]) -> None:
    registry = Registry(tiny_disk / "registry", now_us=clock)
    atomic_write(write_model(tmp_path / "model") / "weights", b"x" * 200_000)
    with pytest.raises(StorageError, match="the disk is full; free some space or choose another folder"):
        registry.publish(tmp_path / "model", *MODEL)
    assert registry.versions(*MODEL) == []
    assert list_files(tiny_disk) == []


def test_a_registry_needs_a_storage_with_compare_and_swap(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedStorageError, match="memory://r/b/p/champion.json: expected a local path or a gs://"):
        Registry("memory://r").champion("b", "p")


_CHILD = """
import sys
from models.gates import GateResult
from models.registry import ConflictError, Registry
root, me, *versions = sys.argv[1:]
registry = Registry(root)
print("ready", flush=True)
sys.stdin.readline()
for version in versions:
    while True:
        try:
            registry.promote("behavior", "purchase", version, lambda a, b: [GateResult("g", True, "")], by=me)
            break
        except ConflictError:
            pass
"""


def _start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _race(root: str, registry: Registry, versions: list[str], racers: int) -> None:
    orders = [versions, versions[::-1], versions[1:] + versions[:1], versions[2:] + versions[:2]][:racers]
    children = [_start(_CHILD, root, f"child{i}", *order) for i, order in enumerate(orders)]
    try:
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        generation = 0
        while any(child.poll() is None for child in children):
            champion = registry.champion(*MODEL)  # raises if it is ever torn
            if champion is not None:
                assert champion.generation >= generation
                generation = champion.generation
        assert [child.returncode for child in children] == [0] * len(children)
    finally:
        for child in children:
            child.kill()
            child.communicate()
    changes = [line for line in registry.history(*MODEL) if line["action"] == "promote"]
    # One line of champions: every generation once, each replacing exactly the one before it.
    assert [line["generation"] for line in changes] == list(range(1, len(changes) + 1))
    assert [line["replaced"] for line in changes] == [None, *(line["version"] for line in changes[:-1])]
    last = registry.champion(*MODEL)
    assert last is not None and (last.version, last.generation) == (changes[-1]["version"], len(changes))


def test_racing_processes_never_make_two_champions(tmp_path: Path, registry: Registry, versions: list[str]) -> None:
    _race(str(tmp_path / "registry"), registry, versions, racers=4)


_KILLED = """
import sys
from models.registry import Registry
def blocked():
    print("everything but the last step is done", flush=True)
    sys.stdin.readline()
    return 1
Registry(sys.argv[1], now_us=blocked).publish(sys.argv[2], "behavior", "purchase")
"""


def test_a_publisher_that_is_killed_leaves_nothing_visible(tmp_path: Path, registry: Registry) -> None:
    model = write_model(tmp_path / "model")
    child = _start(_KILLED, str(tmp_path / "registry"), str(model))
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


@pytest.fixture
def cloud(
    tmp_path: Path, clock: Callable[[], int], new_bucket: Callable[[str], str], request: pytest.FixtureRequest
) -> Registry:
    bucket = new_bucket(f"registry-{zlib.crc32(request.node.name.encode())}")
    return Registry(f"{bucket}/models", cache=tmp_path / "cache", now_us=clock)


def test_the_cloud_does_all_that_a_disk_does(tmp_path: Path, cloud: Registry) -> None:
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


def test_the_cloud_refuses_the_loser_of_a_race(tmp_path: Path, cloud: Registry) -> None:
    versions = [cloud.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL) for auc in (0.7, 0.8)]

    def somebody_is_faster(candidate: Path, champion: Path | None) -> list[GateResult]:
        cloud.promote(*MODEL, versions[1], passes, by="bob")
        return passes(candidate, champion)

    with pytest.raises(ConflictError, match="the champion is now .* by bob"):
        cloud.promote(*MODEL, versions[0], somebody_is_faster, by="ann")


def test_the_cloud_never_makes_two_champions(tmp_path: Path, new_bucket: Callable[[str], str]) -> None:
    root = f"{new_bucket('registry-race')}/models"
    registry = Registry(root, cache=tmp_path / "cache")
    versions = [registry.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL) for auc in (0.7, 0.8, 0.9)]
    _race(root, registry, versions, racers=2)


def test_without_a_manifest_there_is_no_version_in_the_cloud(tmp_path: Path, cloud: Registry) -> None:
    version = cloud.publish(write_model(tmp_path / "model"), *MODEL)
    manifest = next(name for name in list_files(cloud.base(*MODEL)) if name.endswith("MANIFEST.json"))
    from google.cloud import storage

    bucket, key = manifest.removeprefix("gs://").split("/", 1)
    storage.Client().bucket(bucket).blob(key).delete()
    assert cloud.versions(*MODEL) == []
    with pytest.raises(RegistryError, match=f"has no version '{version}'"):
        cloud.open_version(*MODEL, version)


def test_a_changed_object_or_copy_is_never_opened(tmp_path: Path, cloud: Registry) -> None:
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
