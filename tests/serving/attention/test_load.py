"""Many requests at once, too many, too slow ones, and a model that is exchanged meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.registry import Registry
from serving.attention import routes
from serving.workshop import ClosedError, Workshop
from tests import tiny_attention
from tests.running_service import eventually as within
from tests.served_attention import NAME, artifact, picture, png, promote

IMAGE = png(picture(bright=(30, 20)))
eventually = partial(within, seconds=600.0)
PLACES = "augury_heatmap_places"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Heatmaps are made only once this is set."""
    go = threading.Event()
    make = routes.make_heatmap

    def waits(*arguments: object) -> object:
        assert go.wait(600)
        return make(*arguments)

    monkeypatch.setattr(routes, "make_heatmap", waits)
    yield go
    go.set()


def test_many_at_once_get_the_bytes_that_each_gets_alone(start) -> None:
    service = start(heatmap_threads=3, heatmap_queue=100)
    images = [png(picture(60 + 7 * number, 90, seed=number)) for number in range(8)]
    alone = [service.heatmap(image, format="npy").content for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: service.heatmap(image, format="npy").content, images * 4))
    assert together == alone * 4


def test_a_full_queue_answers_429_and_is_free_again_afterwards(start, held: threading.Event) -> None:
    service = start(heatmap_threads=1, heatmap_queue=1)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(service.heatmap, IMAGE) for _ in range(2)]
        eventually(lambda: service.sample(PLACES) == 2)
        response = service.heatmap(IMAGE)
        assert (response.status_code, response.json()["error"]) == (429, "busy")
        assert response.headers["Retry-After"] == "1"
        assert "2 requests are at work or waiting" in response.json()["detail"]
        assert service.client.get("/healthz").status_code == 200  # the loop is not held up
        held.set()
        assert [each.result().status_code for each in waiting] == [200, 200]
    assert service.heatmap(IMAGE).status_code == 200
    assert service.sample(PLACES) == 0
    assert service.sample('augury_heatmaps_total{kind="heatmap",outcome="busy"}') == 1


def test_what_takes_too_long_is_given_up_and_keeps_its_place_until_its_thread_is_free(
    start, held: threading.Event
) -> None:
    service = start(heatmap_threads=1, heatmap_queue=1, heatmap_seconds=0.3)
    response = service.heatmap(IMAGE)
    assert (response.status_code, response.json()["error"]) == (503, "too_slow")
    assert response.headers["Retry-After"] == "5"
    assert service.sample(PLACES) == 1
    waited = service.heatmap(IMAGE)  # never begun, since the only thread is taken
    assert (waited.status_code, waited.json()["error"]) == (503, "too_slow")
    held.set()
    eventually(lambda: service.heatmap(IMAGE).status_code == 200)
    eventually(lambda: service.sample(PLACES) == 0)


def test_a_request_that_does_not_wait_for_its_answer_leaves_no_trace(start, held: threading.Event) -> None:
    service = start(heatmap_threads=1)
    with httpx.Client(timeout=0.3) as hasty, pytest.raises(httpx.ReadTimeout):
        headers = {"Authorization": f"Bearer {service.service.admin_key}", "Content-Type": "image/png"}
        hasty.post(f"{service.url}/v1/attention/heatmap", content=IMAGE, headers=headers)
    held.set()
    eventually(lambda: service.sample(PLACES) == 0)
    assert service.heatmap(IMAGE).status_code == 200


def test_a_new_champion_takes_over_between_two_requests(start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks meanwhile gets a whole answer, of the one version or the other, and says which."""
    root = tmp_path / "registry"
    first = promote(root, artifact(tmp_path / "first"))
    service = start(registry=str(root), model_poll_seconds=3600.0, heatmap_queue=100)
    monkeypatch.setattr(tiny_attention, "CONTRAST", 48.0)
    folder = artifact(tmp_path / "second")
    second = Registry(root).publish(folder, "attention", NAME)
    expected = {version: service.heatmap(IMAGE, format="npy", version=version).content for version in (first, second)}
    assert expected[first] != expected[second]
    done = threading.Event()

    def ask() -> list[httpx.Response]:
        found = []
        while not done.is_set():
            found.append(service.heatmap(IMAGE, format="npy"))
        return found

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        eventually(lambda: service.sample('augury_heatmaps_total{kind="heatmap",outcome="made"}') > 6)
        promote(root, folder)
        reloaded = service.client.post(f"/v1/models/{NAME}/reload", params={"family": "attention"}).json()
        assert reloaded["version"] == second
        before = service.sample('augury_heatmaps_total{kind="heatmap",outcome="made"}')
        eventually(lambda: service.sample('augury_heatmaps_total{kind="heatmap",outcome="made"}') > before + 4)
        done.set()
        answers = [answer for each in asking for answer in each.result()]
    versions = [answer.headers["X-Model"].split()[1] for answer in answers]
    assert set(versions) == {first, second}
    for answer, version in zip(answers, versions, strict=True):
        assert answer.content == expected[version]


def no_golden_set(folder: Path) -> None:
    (folder / "golden" / "images.parquet").unlink()


def other_maps(folder: Path) -> None:
    path = folder / "golden" / "predictions.npy"
    maps = np.load(path)
    maps[1, 5, 5] = np.nextafter(maps[1, 5, 5], np.float32(1))
    np.save(path, maps)


def no_graph(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"nothing")


def other_card(folder: Path) -> None:
    (folder / "model_card.json").write_text('{"regions": {"effective_fixations": -1}}')


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (other_maps, "gives other maps than training computed of 1 of 4 golden images"),
        (no_golden_set, "holds no readable golden set"),
        (no_graph, "model.onnx is no ONNX graph"),
        (other_card, "effective_fixations is -1; expected 1 to 100000"),
    ],
)
def test_a_broken_version_never_replaces_a_good_one(
    start, tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    root = tmp_path / "registry"
    good = promote(root, artifact(tmp_path / "good"))
    service = start(registry=str(root), model_poll_seconds=3600.0)
    folder = artifact(tmp_path / "bad", other=True)
    damage(folder)
    bad = promote(root, folder)
    shown = service.client.post(f"/v1/models/{NAME}/reload", params={"family": "attention"}).json()
    assert shown["version"] == good
    assert why in shown["error"]
    assert service.heatmap(IMAGE).headers["X-Model"] == f"{NAME} {good}"
    asked = service.heatmap(IMAGE, version=bad)
    assert (asked.status_code, asked.json()["error"]) == (503, "model_unavailable")
    counted = f'augury_model_loads_total{{family="attention",model="{NAME}",outcome="failed"}}'
    assert service.sample(counted) == 2


def test_models_of_both_families_are_listed_and_found_by_family(start) -> None:
    service = start()
    [listed] = service.client.get("/v1/models").json()["models"]
    assert (listed["family"], listed["model"], listed["width"], listed["height"]) == ("attention", NAME, 64, 48)
    assert (listed["sets"], listed["effective_fixations"], listed["metrics"]) == (["bright"], 40, {"nss": 1.0})
    assert service.client.get(f"/v1/models/{NAME}", params={"family": "attention"}).json() == listed
    response = service.client.get(f"/v1/models/{NAME}")
    assert (response.status_code, response.json()["error"]) == (404, "unknown_model")
    assert service.client.get(f"/v1/models/{NAME}", params={"family": "other"}).status_code == 400
    assert service.client.get("/readyz").status_code == 200


def test_of_several_models_one_must_be_named(start, tmp_path: Path) -> None:
    root = tmp_path / "registry"
    folder = artifact(tmp_path / "model")
    for name in ("pages", "photos"):
        promote(root, folder, name)
    service = start(registry=str(root))
    response = service.heatmap(IMAGE)
    assert (response.status_code, response.json()["error"]) == (400, "which_model")
    assert response.json()["detail"] == "there are pages, photos; name one with model="
    assert service.heatmap(IMAGE, model="photos").headers["X-Model"].startswith("photos ")
    one = start(registry=str(root), models=("attention/pages",))
    assert one.heatmap(IMAGE).headers["X-Model"].startswith("pages ")


def test_a_workshop_that_closes_finishes_what_is_begun_and_refuses_the_rest() -> None:
    async def body() -> None:
        workshop = Workshop(1, 5, 600.0)
        go, begun = threading.Event(), threading.Event()

        def job(check: Callable[[], None]) -> str:
            begun.set()
            go.wait(600)
            return "made"

        async def ask() -> str:
            with workshop.place() as place:
                return await place.run(job)

        first = asyncio.create_task(ask())
        await asyncio.to_thread(begun.wait, 600)
        second = asyncio.create_task(ask())
        await asyncio.sleep(0)
        closing = asyncio.create_task(workshop.close())
        await asyncio.sleep(0)
        go.set()
        await closing
        assert await first == "made"
        with pytest.raises(ClosedError):
            await second
        with pytest.raises(ClosedError, match="shutting down"), workshop.place():
            pass
        assert workshop.taken == 0

    asyncio.run(body())
