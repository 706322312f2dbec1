"""Which version of a photo to use, over HTTP: the numbers are the model's, bit for bit."""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from features.errors import AuguryError
from features.images import decode_image
from models.creative.conversion.golden import answer
from models.creative.predictor import CreativeModel
from models.creative.shown import variant_images
from models.registry import Registry
from serving.compaction_streams import read_stream
from tests.served_creative import NAME, PHOTO, SPEC
from tests.serving.creative.conftest import RECOMMEND
from tests.tiny_creative import photo

CAMPAIGN = {"campaign_type": "newsletter", "industry": "fashion", "shoe_type": "shoe", "brand": "Birk"}


@pytest.fixture(scope="module")
def model(creative_artifact: Path) -> CreativeModel:
    return CreativeModel.load(creative_artifact, threads=1)


@pytest.mark.parametrize("target", ["click_through", "unsubscribed"])
def test_every_bit_is_the_models(running, model: CreativeModel, target: str) -> None:
    found = running.recommend(PHOTO, target=target, **CAMPAIGN).json()
    campaign = {**CAMPAIGN, "kind": CAMPAIGN["shoe_type"]}
    rates = answer(model, PHOTO, {name: campaign.get(name, "") for name in model.inputs.categories})
    rates = rates[model.targets.index(target)]
    said = [[each[name] for name in ("probability", "low", "high")] for each in found["variants"]]
    assert np.array(said).tobytes() == rates.tobytes()
    assert [each["name"] for each in found["variants"]] == list(SPEC.variant_names)
    assert found["given"] == dict(zip(("probability", "low", "high"), said[0], strict=True))
    pick = np.argmin if target == "unsubscribed" else np.argmax
    allowed = [n for n, each in enumerate(found["variants"]) if not each["ruled_out"]]
    best = allowed[int(pick(rates[allowed, 0]))]
    assert found["best_variant"]["name"] == SPEC.variant_names[best]
    assert (found["target"], found["less_is_better"]) == (target, target == "unsubscribed")
    assert found["simulated"] is True


def test_the_pictures_are_the_variants_and_the_catalogues(running) -> None:
    found = running.recommend(PHOTO, **CAMPAIGN, alternates=3).json()
    pixels = photo("of nobody")
    for each in found["variants"]:
        shown = _pixels(each["image"])
        made = variant_images(pixels, SPEC)[each["name"]]
        assert shown.shape == made.shape
        assert np.abs(shown.astype(int) - made).mean() < 12  # JPEG
    assert len(found["alternates"]) == 3
    alike = [each["alike"] for each in found["alternates"]]
    assert alike == sorted(alike, reverse=True)
    assert {each["shoe_type"] for each in found["alternates"]} == {"shoe"}
    assert _pixels(found["alternates"][0]["image"]).shape == (32, 32, 3)
    assert found["best_alternate"]["name"] in {each["product"] for each in found["alternates"]}
    assert found["image"] == {"width": 30, "height": 40, "sha256": hashlib.sha256(PHOTO).hexdigest()}
    small = running.recommend(PHOTO, size=16).json()["variants"]
    assert [_pixels(each["image"]).shape[:2] for each in small] == [
        (12, 16) if each["name"] == "rotated" else (16, 12) for each in small
    ]


def _pixels(url: str) -> np.ndarray:
    kind, _, text = url.partition(",")
    assert kind == "data:image/jpeg;base64"
    return decode_image(base64.b64decode(text))


def test_the_same_question_has_the_same_bytes(running) -> None:
    first, second = (running.recommend(PHOTO, **CAMPAIGN) for _ in range(2))
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["x-model"].startswith(f"{NAME} ")
    other = running.recommend(PHOTO, **{**CAMPAIGN, "campaign_type": "launch"})
    assert other.headers["etag"] != first.headers["etag"]
    plain = running.recommend(PHOTO, images=False, alternates=0).json()
    assert {each["image"] for each in plain["variants"]} == {None}
    assert (plain["alternates"], plain["best_alternate"]) == ([], None)


def test_a_form_will_do(running) -> None:
    response = running.client.post(RECOMMEND, files={"image": PHOTO}, params={"target": "click_through"})
    assert response.content == running.recommend(PHOTO).content


def test_what_the_model_has_never_seen_is_said(running) -> None:
    found = running.recommend(PHOTO, campaign_type="smoke signals", industry="fashion", shoe_type="clog").json()
    assert found["known"] == {"campaign_type": False, "industry": True, "shoe_type": False}
    assert found["notes"] == [
        "campaign_type 'smoke signals' was never seen in training and counts as unknown; known: launch, newsletter",
        "shoe_type 'clog' was never seen in training and counts as unknown; known: shoe",
        "the catalogue has no products of shoe_type 'clog'; alternates are of any type",
    ]
    unknown = running.recommend(PHOTO, industry="fashion").json()
    assert [each["probability"] for each in found["variants"]] == [each["probability"] for each in unknown["variants"]]


def test_a_product_is_no_alternate_to_itself(running) -> None:
    stored = running.recommend(PHOTO, alternates=100).json()["alternates"][0]["product"]
    again = running.recommend(PHOTO, alternates=100, product=stored).json()["alternates"]
    assert stored not in {each["product"] for each in again}


@pytest.mark.parametrize(
    ("query", "status", "error", "detail"),
    [
        ({"target": "sales"}, 400, "unknown_target", "target 'sales' is not predicted; expected one of click_through,"),
        ({"alternates": 101}, 400, "invalid_request", "alternates"),
        ({"colour": "red"}, 400, "invalid_request", "colour"),
        ({"model": "hats"}, 404, "unknown_model", "hats"),
        ({"version": "2026"}, 404, "unknown_version", "2026"),
        ({"url": "http://example.org/a.png"}, 400, "url_not_allowed", "AUGURY_HEATMAP_URL_HOSTS"),
    ],
)
def test_one_clear_error(running, query, status, error, detail) -> None:
    response = running.recommend(PHOTO, **query)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("image", "status", "error"),
    [(b"", 400, "no_image"), (b"nothing", 415, "not_an_image"), (PHOTO[:200], 422, "truncated")],
)
def test_what_is_no_image_is_one_clear_error(running, image, status, error) -> None:
    response = running.recommend(image)
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_an_image_of_any_size_works_the_first_time(running) -> None:
    from tests.served_creative import png

    for size in [(1, 1), (1, 500), (700, 3), (16, 16)]:
        random = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        assert running.recommend(png(random)).status_code == 200


def test_keys(running) -> None:
    bare = {"Authorization": "", "Content-Type": "image/png"}
    response = running.client.post(RECOMMEND, content=PHOTO, params={"target": "click_through"}, headers=bare)
    assert response.status_code == 401


def test_administrators_see_the_model(running) -> None:
    [found] = running.client.get("/v1/models").json()["models"]
    assert (found["family"], found["model"], found["error"]) == ("creative", NAME, None)
    assert found["targets"] == ["click_through", "unsubscribed"]
    assert found["variants"] == list(SPEC.variant_names)
    assert found["categories"]["campaign_type"] == ["launch", "newsletter"]
    assert found["simulated"] is True
    reloaded = running.client.post(f"/v1/models/{NAME}/reload", params={"family": "creative"})
    assert reloaded.json()["version"] == found["version"]


def test_a_line_says_what_was_asked_and_what_became_of_it(creative_registry: Path) -> None:
    from serving.loopback import loopback_service
    from tests.serving.creative.conftest import Running, _client

    kept = []
    with loopback_service(registry=str(creative_registry), recommend_seconds=600.0, spool_rotate_seconds=3600.0) as own:
        with _client(own) as client:
            asking = Running(own, client)
            asking.recommend(PHOTO, **CAMPAIGN)
            asking.recommend(b"nothing", target="unsubscribed")
            while len(kept) < 2:
                kept = asking.lines()
    rows = read_stream("recommendations", kept)
    assert rows.rejected.num_rows == 0
    made, failed = rows.events.to_pylist()
    assert made["outcome"] == "made" and made["status"] == 200 and made["model"] == NAME
    assert {name: made[name] for name in CAMPAIGN} == CAMPAIGN
    assert (made["width"], made["height"], made["bytes"]) == (30, 40, len(PHOTO))
    assert made["best_variant"] in SPEC.variant_names and 0 < made["probability"] < 1
    assert (failed["outcome"], failed["target"], failed["probability"]) == ("not_an_image", "unsubscribed", None)
    assert made["other"] in (None, "{}")


def test_brand_rules_are_kept(start, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('Birk = ["brighter", "darker"]\n"*" = ["rotated"]')
    running = start(recommend_rules=tmp_path / "rules.toml")
    found = running.recommend(PHOTO, **CAMPAIGN).json()
    ruled_out = {each["name"] for each in found["variants"] if "forbidden_for_brand" in each["ruled_out"]}
    assert ruled_out == {"brighter", "darker", "rotated"}
    assert found["best_variant"]["name"] not in ruled_out
    free = running.recommend(PHOTO, campaign_type="newsletter").json()
    assert [n["name"] for n in free["variants"] if "forbidden_for_brand" in n["ruled_out"]] == ["rotated"]


def test_a_variant_too_far_from_its_photo_is_never_recommended(start) -> None:
    found = start(recommend_max_distance=1e-9).recommend(PHOTO, **CAMPAIGN).json()
    assert {each["name"]: each["ruled_out"] for each in found["variants"]} == {
        name: [] if name == "original" else ["another_product"] for name in SPEC.variant_names
    }
    assert found["best_variant"]["name"] == "original"
    assert found["best_variant"]["said"] == "original is the only choice"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ('Birk = ["sepia"]', f"AUGURY_RECOMMEND_RULES does not fit {NAME} .* 'birk' forbids 'sepia'"),
        ("Birk", "is no TOML"),
    ],
)
def test_rules_that_would_do_nothing_stop_the_service(start, tmp_path: Path, rules: str, message: str) -> None:
    (tmp_path / "rules.toml").write_text(rules)
    with pytest.raises(AuguryError, match=message):
        start(recommend_rules=tmp_path / "rules.toml")


def test_without_a_registry_there_is_one_clear_error(start) -> None:
    response = start(registry=None).recommend(PHOTO)
    assert (response.status_code, response.json()["error"]) == (404, "unknown_model")


def test_a_version_by_its_name(running, creative_registry: Path) -> None:
    version = Registry(creative_registry).champion("creative", NAME).version
    assert running.recommend(PHOTO, version=version).json()["version"] == version
    assert json.loads(running.recommend(PHOTO).content)["version"] == version
