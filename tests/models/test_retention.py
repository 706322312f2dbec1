"""What stays in a registry and what goes: never the champion, its predecessor or a pinned version."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.ledger import ConflictError
from models.registry import Check, Registry, RegistryError
from models.retention import Retention

MODEL = ("behavior", "purchase")
Write = Callable[..., Path]


@pytest.fixture
def retention(registry: Registry) -> Retention:
    return Retention(registry, *MODEL)


@pytest.fixture
def six(tmp_path: Path, registry: Registry, write_model: Write, passes: Check) -> list[str]:
    """Six versions, of which the third was champion before the second."""
    made = [registry.publish(write_model(tmp_path / str(n), 0.7 + n / 100), *MODEL) for n in range(6)]
    for number in (2, 1):
        registry.promote(*MODEL, made[number], passes)
    return made


def test_what_stays_and_why(six: list[str], retention: Retention) -> None:
    retention.pin(six[3], "the audit asks for it", by="ann")
    assert retention.reasons(newest=1) == {
        six[0]: "", six[1]: "champion", six[2]: "predecessor", six[3]: "pinned", six[4]: "", six[5]: "new",
    }  # fmt: skip
    assert set(retention.reasons(newest=99).values()) == {"champion", "predecessor", "pinned", "new"}


def test_what_need_not_stay_is_removed_and_written_down(
    six: list[str], retention: Retention, registry: Registry, passes: Check
) -> None:
    retention.pin(six[3], "audit", by="ann")
    assert retention.prune(newest=1, reason="room", by="bob") == [six[0], six[4]]
    assert registry.versions(*MODEL) == [six[1], six[2], six[3], six[5]]
    told = [(line["action"], line["version"], line["by"], line["reason"]) for line in registry.history(*MODEL)[-3:]]
    assert told == [
        ("pin", six[3], "ann", "audit"), ("remove", six[0], "bob", "room"), ("remove", six[4], "bob", "room"),
    ]  # fmt: skip
    assert retention.prune(newest=1) == []
    assert registry.rollback(*MODEL).version == six[2]
    assert registry.promote(*MODEL, six[5], passes).pinned == (six[3],)


def test_a_pin_is_taken_away_again(six: list[str], retention: Retention, registry: Registry) -> None:
    for _ in range(2):
        retention.pin(six[0])
    retention.unpin(six[0])
    assert [line["action"] for line in registry.history(*MODEL)][-2:] == ["pin", "unpin"]
    with pytest.raises(RegistryError, match=f"'{six[0]}' of behavior/purchase is not pinned; pinned: none"):
        retention.unpin(six[0])
    assert six[0] in retention.prune(newest=0)


def test_without_a_champion_nothing_is_removed(retention: Retention, versions: list[str]) -> None:
    with pytest.raises(RegistryError, match="has no champion yet, so nothing is pinned or removed; promote a version"):
        retention.prune(newest=0)
    with pytest.raises(RegistryError, match="has no champion yet"):
        retention.pin(versions[0])


def test_what_cannot_be_is_refused(six: list[str], retention: Retention) -> None:
    with pytest.raises(RegistryError, match="cannot keep the newest -1 versions; expected 0 or more"):
        retention.prune(newest=-1)
    with pytest.raises(RegistryError, match="has no version '20260101T000000Z-0000000000000000'"):
        retention.pin("20260101T000000Z-0000000000000000")


def test_a_version_promoted_while_others_are_chosen_stays(
    six: list[str], retention: Retention, registry: Registry, passes: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Retention._reasons

    def late(self: Retention, *given: object) -> dict[str, str]:
        found = chosen(self, *given)  # type: ignore[arg-type]
        monkeypatch.undo()
        registry.promote(*MODEL, six[0], passes)
        return found

    monkeypatch.setattr(Retention, "_reasons", late)
    with pytest.raises(ConflictError, match="was changed in the meantime; try again"):
        retention.prune(newest=0)
    assert registry.versions(*MODEL) == six


def test_a_version_being_removed_is_neither_promoted_nor_pinned_and_goes_next_time(
    six: list[str], retention: Retention, registry: Registry, passes: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        retention.prune(newest=5)
    monkeypatch.undo()
    assert six[0] in registry.versions(*MODEL)
    with pytest.raises(RegistryError, match=f"{six[0]} is being removed from the registry; publish it again, or"):
        registry.promote(*MODEL, six[0], passes)
    with pytest.raises(RegistryError, match=f"{six[0]} is being removed from the registry and cannot be pinned"):
        retention.pin(six[0])
    registry.promote(*MODEL, six[5], passes)  # others may become champion meanwhile
    assert retention.prune(newest=6) == [six[0]]
    champion = registry.champion(*MODEL)
    assert champion is not None and (champion.version, champion.retired) == (six[5], ())


def test_a_promotion_whose_gates_took_longer_than_the_removal_is_told(
    six: list[str], retention: Retention, registry: Registry, passes: Check
) -> None:
    def gates(candidate: Path, champion: Path | None) -> object:
        assert six[0] in retention.prune(newest=0)
        return passes(candidate, champion)

    with pytest.raises(ConflictError, match="changed nothing"):
        registry.promote(*MODEL, six[0], gates)  # type: ignore[arg-type]
    champion = registry.champion(*MODEL)
    assert champion is not None and champion.version == six[1]


def test_what_a_killed_removal_left_goes_with_the_next(six: list[str], retention: Retention, tmp_path: Path) -> None:
    base = tmp_path / "registry" / "behavior" / "purchase"
    (base / f".removed-{six[0]}").mkdir()
    retention.prune(newest=4)
    assert not list(base.glob(".removed-*"))
