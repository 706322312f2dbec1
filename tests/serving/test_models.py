"""The shelf follows champions, keeps the good one when the next is broken, and keeps few versions asked for by name."""

import asyncio
import json
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from features.recent_events import RecentRules
from models.behavior.loaded import LoadedModel, load_model
from models.gates import GateResult
from models.registry import Registry
from serving.behavior_models import behavior_family, spot_check
from serving.models import Family, ModelShelf, ModelUnavailableError, UnknownModelError, loads_counter
from tests.tiny_model import NAME, artifact, publish

FAILED = {"model": NAME, "outcome": "failed"}


def variant(folder: Path, number: int, damage: Callable[[Path], None] | None = None) -> Path:
    """Copies the tiny artifact, different by its card, and damaged if asked."""
    made = Path(shutil.copytree(artifact(), folder / f"variant{number}"))
    card = json.loads((made / "model_card.json").read_text())
    (made / "model_card.json").write_text(json.dumps({**card, "variant": number}))
    if damage:
        damage(made)
    return made


def make_champion(root: Path, folder: Path, name: str = NAME) -> str:
    registry = Registry(root)
    version = registry.publish(folder, "behavior", name)
    registry.promote("behavior", name, version, lambda *_: [GateResult("test", True, "")])
    return version


def run(
    test: Callable[..., Awaitable[None]],
    root: Path | Registry,
    names: tuple[str, ...],
    poll_seconds: float,
    family: Family = behavior_family(),  # noqa: B008 - frozen
    counts: CollectorRegistry | None = None,
) -> None:
    async def body() -> None:
        loads = loads_counter(counts) if counts is not None else None
        shelf = ModelShelf(root, family, names, poll_seconds, loads=loads)
        try:
            await shelf.start()
            await test(shelf)
        finally:
            await shelf.close()

    asyncio.run(body())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "registry"


def other_predictions(folder: Path) -> None:
    path = folder / "golden" / "predictions.npy"
    promised = np.load(path)
    promised[3, 0] = np.nextafter(promised[3, 0], np.float32(2))
    np.save(path, promised)


def no_graph(folder: Path) -> None:
    (folder / "model.pb").write_bytes(b"no graph at all")


def no_golden_set(folder: Path) -> None:
    shutil.rmtree(folder / "golden")


def test_a_promotion_is_picked_up_and_the_old_model_answers_until_then(root: Path, tmp_path: Path) -> None:
    first = make_champion(root, variant(tmp_path, 1))

    async def test(shelf: ModelShelf) -> None:
        assert shelf.ready and shelf.names == [NAME]
        old = await shelf.get(NAME)
        assert old.version == first
        second = make_champion(root, variant(tmp_path, 2))
        async with asyncio.timeout(20):
            while (await shelf.get(NAME)).version != second:
                await asyncio.sleep(0.01)
        assert old.predictor is not (await shelf.get(NAME)).predictor  # whoever still holds the old one can go on

    run(test, root, (), 0.05)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (other_predictions, "gives other predictions than training computed in 1 of 16 golden instances"),
        (no_graph, "model.pb is not the graph that model.json describes"),
        (no_golden_set, "holds no readable golden set"),
    ],
)
def test_a_broken_version_never_replaces_a_good_one(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], why: str
) -> None:
    good = make_champion(root, variant(tmp_path, 1))
    counts = CollectorRegistry()

    async def test(shelf: ModelShelf) -> None:
        bad = make_champion(root, variant(tmp_path, 2, damage))
        with caplog.at_level(logging.ERROR):
            await shelf.refresh(NAME)
        assert (await shelf.get(NAME)).version == good
        assert shelf.ready
        assert why in shelf.error(NAME)
        assert f"model {NAME}: {bad} is not taken, {good} stays: " in caplog.text
        assert counts.get_sample_value("augury_model_loads_total", {"family": "behavior", **FAILED}) == 1
        await shelf.refresh()  # a moment later it is not tried again by itself
        assert counts.get_sample_value("augury_model_loads_total", {"family": "behavior", **FAILED}) == 1
        with pytest.raises(ModelUnavailableError):
            await shelf.get(NAME, bad)
        mended = make_champion(root, variant(tmp_path, 3))
        await shelf.refresh()
        assert (await shelf.get(NAME)).version == mended
        assert shelf.error(NAME) == ""

    run(test, root, (), 3600, counts=counts)


def test_files_that_changed_since_they_were_published_are_not_loaded(root: Path, tmp_path: Path) -> None:
    good = make_champion(root, variant(tmp_path, 1))

    async def test(shelf: ModelShelf) -> None:
        bad = make_champion(root, variant(tmp_path, 2))
        path = root / "behavior" / NAME / bad / "feature_spec.json"
        path.chmod(0o644)
        path.write_text(path.read_text() + " ")
        await shelf.refresh(NAME)
        assert (await shelf.get(NAME)).version == good
        assert "is not the file that was published" in shelf.error(NAME)

    run(test, root, (), 3600)


def test_a_first_champion_that_is_broken_leaves_the_shelf_unready(root: Path, tmp_path: Path) -> None:
    make_champion(root, variant(tmp_path, 1, no_graph))

    async def test(shelf: ModelShelf) -> None:
        assert not shelf.ready
        with pytest.raises(ModelUnavailableError, match="has no champion that can be loaded now"):
            await shelf.get(NAME)

    run(test, root, (), 3600)


def test_names_that_are_asked_for_must_be_there(root: Path) -> None:
    publish(root)

    async def test(shelf: ModelShelf) -> None:
        assert shelf.names == ["later", NAME]
        assert not shelf.ready
        make_champion(root, artifact(), "later")
        await shelf.refresh()
        assert shelf.ready
        with pytest.raises(UnknownModelError, match=r"^no model 'other' is served here; served: later, purchase$"):
            await shelf.get("other")
        with pytest.raises(UnknownModelError):
            await shelf.get("other", "20260101T000000Z-0123456789abcdef")

    run(test, root, (NAME, "later"), 3600)


def test_a_model_that_is_not_asked_for_is_not_taken_up_by_looking_for_it(root: Path) -> None:
    publish(root)
    make_champion(root, artifact(), "other")

    async def test(shelf: ModelShelf) -> None:
        await shelf.refresh("other")
        assert shelf.names == [NAME]

    run(test, root, (NAME,), 3600)


def test_without_any_model_it_is_ready_and_knows_none(root: Path) -> None:
    async def test(shelf: ModelShelf) -> None:
        assert shelf.ready and shelf.names == []
        with pytest.raises(UnknownModelError, match="served: none"):
            await shelf.get(NAME)

    run(test, root, (), 3600)


def test_a_model_promoted_later_is_found(root: Path) -> None:
    async def test(shelf: ModelShelf) -> None:
        version = publish(root)
        await shelf.refresh()
        assert (await shelf.get(NAME)).version == version

    run(test, root, (), 3600)


def test_the_pointers_are_read_often_and_the_folder_of_models_seldom(root: Path, tmp_path: Path) -> None:
    first = make_champion(root, variant(tmp_path, 1))
    listed: list[str] = []

    class Counted(Registry):
        def names(self, family: str) -> list[str]:
            listed.append(family)
            return super().names(family)

    async def test(shelf: ModelShelf) -> None:
        assert (await shelf.get(NAME)).version == first
        second = make_champion(root, variant(tmp_path, 2))
        async with asyncio.timeout(20):
            while (await shelf.get(NAME)).version != second:
                await asyncio.sleep(0.01)
        assert listed == ["behavior"]
        await shelf.refresh()  # whoever asks is told of all there are now
        assert listed == ["behavior"] * 2

    run(test, Counted(root), (), 0.05)


def test_versions_by_name_are_loaded_once_and_few_stay(root: Path, tmp_path: Path) -> None:
    registry = Registry(root)
    champion = make_champion(root, variant(tmp_path, 0))
    versions = [registry.publish(variant(tmp_path, number), "behavior", NAME) for number in (1, 2, 3)]
    loads: list[str] = []

    def load(folder: Path, name: str, version: str) -> LoadedModel:
        loads.append(version)
        return load_model(folder, name, version)

    async def test(shelf: ModelShelf) -> None:
        assert (await shelf.get(NAME, champion)).version == champion
        together = await asyncio.gather(*(shelf.get(NAME, versions[0]) for _ in range(5)))
        assert {each.version for each in together} == {versions[0]}
        await shelf.get(NAME, versions[1])
        await shelf.get(NAME, versions[0])  # used last, so it stays
        await shelf.get(NAME, versions[2])
        await shelf.get(NAME, versions[0])
        assert loads == [champion, *versions]
        await shelf.get(NAME, versions[1])
        assert loads == [champion, *versions, versions[1]]
        with pytest.raises(UnknownModelError, match=r"^model 'purchase' has no version '\.\./x'$"):
            await shelf.get(NAME, "../x")

    run(test, root, (), 3600, Family("behavior", load, spot_check))


def test_a_model_in_need_of_what_the_store_does_not_keep_is_refused(root: Path) -> None:
    publish(root)

    async def test(shelf: ModelShelf) -> None:
        assert not shelf.ready
        assert "sees page events, which the fast store does not keep" in shelf.error(NAME)

    rules = RecentRules(types=("track", "screen", "identify", "group", "alias"))
    run(test, root, (), 3600, behavior_family(rules))


def test_a_registry_that_cannot_be_read_is_looked_at_again(root: Path) -> None:
    version = publish(root)
    champion = root / "behavior" / NAME / "champion.json"
    kept = champion.read_text()

    async def test(shelf: ModelShelf) -> None:
        champion.write_text("{")
        await shelf.refresh()
        assert (await shelf.get(NAME)).version == version
        champion.write_text(kept)
        await shelf.refresh()
        assert shelf.error(NAME) == ""

    run(test, root, (), 3600)
