"""Champions: who becomes one, who replaced whom, and that two never rule at once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from features.storage import atomic_write
from models.gates import GateResult
from models.registry import Check, ConflictError, IntegrityError, RefusedError, Registry, RegistryError

MODEL = ("behavior", "purchase")
FIRST_US = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z
Write = Callable[..., Path]


def test_the_first_version_to_pass_becomes_champion(registry: Registry, versions: list[str], passes: Check) -> None:
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


def test_gates_see_the_present_champion(registry: Registry, versions: list[str], passes: Check) -> None:
    registry.promote(*MODEL, versions[0], passes)
    seen: list[str] = []

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        seen.append(champion.name if champion else "none")
        return passes(candidate, champion)

    registry.promote(*MODEL, versions[1], gates)
    assert seen == [versions[0]]


def test_a_version_that_fails_a_gate_is_refused_and_written_down(
    registry: Registry, versions: list[str], passes: Check, fails: Check
) -> None:
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


def test_promoting_the_champion_again_changes_nothing(
    registry: Registry, versions: list[str], passes: Check, fails: Check
) -> None:
    champion = registry.promote(*MODEL, versions[0], passes)
    assert registry.promote(*MODEL, versions[0], fails) == champion
    assert [line["action"] for line in registry.history(*MODEL)] == ["publish", "publish", "publish", "promote"]


def test_rolling_back_walks_back_through_the_champions(registry: Registry, versions: list[str], passes: Check) -> None:
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


def test_rolling_back_to_a_damaged_version_is_refused(registry: Registry, versions: list[str], passes: Check) -> None:
    registry.promote(*MODEL, versions[0], passes)
    champion = registry.promote(*MODEL, versions[1], passes)
    (registry.open_version(*MODEL, versions[0]) / "model.pb").unlink()
    with pytest.raises(IntegrityError):
        registry.rollback(*MODEL)
    assert registry.champion(*MODEL) == champion


def test_the_history_says_who_replaced_whom_when_and_why(
    registry: Registry, versions: list[str], passes: Check
) -> None:
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
    tmp_path: Path, registry: Registry, versions: list[str], passes: Check
) -> None:
    registry.promote(*MODEL, versions[0], passes)
    path = tmp_path / "registry" / "behavior" / "purchase" / "history.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))  # killed after the change, before the line
    assert [line["action"] for line in registry.history(*MODEL)] == ["publish", "publish", "publish", "promote"]
    registry.promote(*MODEL, versions[1], passes)
    assert path.read_bytes().startswith(whole)
    assert [line.get("generation") for line in registry.history(*MODEL)] == [None, None, None, 1, 2]


def test_a_lost_race_says_who_won_and_changes_nothing(registry: Registry, versions: list[str], passes: Check) -> None:
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
def test_a_torn_pointer_is_never_followed(
    tmp_path: Path, registry: Registry, content: bytes, write_model: Write
) -> None:
    registry.publish(write_model(tmp_path / "model"), *MODEL)
    atomic_write(tmp_path / "registry" / "behavior" / "purchase" / "champion.json", content)
    with pytest.raises(IntegrityError, match=r"champion.json is not what the registry wrote .*; restore it from"):
        registry.champion(*MODEL)


@pytest.mark.parametrize("line", ["3", "{}", "{"])
def test_a_history_that_was_changed_is_said(tmp_path: Path, registry: Registry, versions: list[str], line: str) -> None:
    path = tmp_path / "registry" / "behavior" / "purchase" / "history.jsonl"
    atomic_write(path, path.read_text() + line + "\n")
    with pytest.raises(
        IntegrityError, match=r"history.jsonl is not what the registry wrote .*; restore it from a copy"
    ):
        registry.history(*MODEL)


def test_a_champion_that_was_removed_and_published_again_can_be_replaced(
    tmp_path: Path, registry: Registry, versions: list[str], passes: Check
) -> None:
    """What the error about a damaged version tells one to do, though the version has another name then."""
    copy = shutil.copytree(registry.open_version(*MODEL, versions[0]), tmp_path / "copy")
    for promoted in versions[:2]:
        registry.promote(*MODEL, promoted, passes)
    shutil.rmtree(registry.open_version(*MODEL, versions[0]))
    again = registry.publish(copy, *MODEL)
    assert again not in versions
    assert registry.rollback(*MODEL).version == again
    shutil.rmtree(registry.open_version(*MODEL, again))
    with pytest.raises(RegistryError, match=f"has no version '{again}'"):
        registry.promote(*MODEL, versions[1], passes)
    last = registry.publish(copy, *MODEL)
    seen: list[str] = []

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        seen.append(champion.name if champion else "none")
        return passes(candidate, champion)

    assert registry.promote(*MODEL, versions[1], gates).replaced == again
    assert seen == [last]


def test_racing_processes_never_make_two_champions(
    tmp_path: Path, registry: Registry, versions: list[str], race: Callable[..., None]
) -> None:
    race(str(tmp_path / "registry"), registry, versions, 4)
