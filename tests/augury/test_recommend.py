"""``augury recommend`` on real files: tables, pictures, numbers, errors, and a photo that stays as it is."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augury import cli
from features.images import decode_image
from features.images_encode import encode_image
from models.creative.recommendation import Asked, Recommender, make_prediction_recommendation
from models.creative.shown import as_json, variant_images
from tests.served_creative import NAME, PHOTO, SPEC, creative_artifact, creative_registry
from tests.tiny_creative import photo

__all__ = ["creative_artifact", "creative_registry"]  # fixtures

GUIDE = Path(__file__).parents[2] / "docs" / "creative-recommendation.md"
PIXELS = photo("of nobody")


@pytest.fixture
def run(tmp_path, monkeypatch, creative_artifact):
    """Runs the command beside ``shoe.png``, with the small model as ``model``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shoe.png").write_bytes(PHOTO)
    (tmp_path / "model").symlink_to(creative_artifact)

    def invoke(*argv, code=0):
        done = CliRunner().invoke(cli.app, ("recommend", *argv), env={"COLUMNS": "120"})
        assert done.exit_code == code, done.output
        return done

    return invoke


ARGV = ("shoe.png", "--target", "click_through", "--artifact", "model")


def test_the_guide_shows_what_one_sees(run) -> None:
    text = GUIDE.read_text()
    [(argv, shown)] = re.findall(r"^\$ augury recommend (shoe\.png .*--artifact model)\n(.*?)^```", text, re.M | re.S)
    done = run(*argv.split())
    said = [line.rstrip() for line in (done.stdout + done.stderr).strip().splitlines()]
    assert said == [line.rstrip() for line in shown.strip().splitlines()]


def test_the_rules_of_the_guide_are_rules(run, tmp_path) -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    (tmp_path / "rules.toml").write_text(text)
    done = run(*ARGV, "--brand", "Aster", "--brand-rules", "rules.toml", "--json")
    ruled_out = {each["name"] for each in json.loads(done.stdout)["variants"] if each["ruled_out"]}
    assert {"sketch", "rotated", "darker"} <= ruled_out


def test_the_files_are_the_variants_the_alternates_and_the_numbers(run, tmp_path, creative_artifact) -> None:
    run(*ARGV, "-o", "out/deep", "--alternates", "2", "--shoe-type", "shoe")
    names = sorted(os.listdir(tmp_path / "out" / "deep"))
    assert [name for name in names if name.endswith(".png")] == sorted(f"{name}.png" for name in SPEC.variant_names)
    for name, picture in variant_images(PIXELS, SPEC).items():
        np.testing.assert_array_equal(decode_image((tmp_path / "out" / "deep" / f"{name}.png").read_bytes()), picture)
    told = json.loads((tmp_path / "out" / "deep" / "recommendation.json").read_text())
    found = make_prediction_recommendation(
        PHOTO, "click_through", shoe_type="shoe", alternates=2, model=Recommender.load(creative_artifact)
    )
    assert {name: told[name] for name in as_json(found)} == json.loads(json.dumps(as_json(found)))
    assert told["image"]["path"] == "shoe.png"
    pictures = [name for name in names if name.startswith("alternate-")]
    assert len(pictures) == 2
    assert (tmp_path / "out" / "deep" / pictures[0]).read_bytes() == found.alternates[0].thumbnail
    assert (tmp_path / "shoe.png").read_bytes() == PHOTO


def test_alternates_of_an_earlier_answer_do_not_stay(run, tmp_path) -> None:
    folder = tmp_path / "out"
    run(*ARGV, "-o", "out", "--alternates", "3", "--shoe-type", "shoe")
    (folder / "notes.txt").write_text("mine")
    run(*ARGV, "-o", "out", "--alternates", "1", "--shoe-type", "shoe")
    assert len(list(folder.glob("alternate-*.jpg"))) == 1
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["brighter.png", "original.png", "alternate-001-x.jpg"])
def test_the_photo_is_never_overwritten(run, tmp_path, name: str) -> None:
    (tmp_path / name).write_bytes(PHOTO)
    done = run(name, *ARGV[1:], "-o", ".", code=1)
    assert "choose another --output" in done.stderr and len(done.stderr.splitlines()) == 1
    assert (tmp_path / name).read_bytes() == PHOTO
    assert not (tmp_path / "recommendation.json").exists()


def test_a_link_to_the_photo_is_the_photo(run, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sketch.png").hardlink_to(tmp_path / "shoe.png")
    done = run(*ARGV, "-o", "out", code=1)
    assert "out/sketch.png would overwrite the photo shoe.png" in done.stderr


def test_a_model_of_the_registry(run, creative_registry) -> None:
    argv = ("shoe.png", "--target", "unsubscribed", "--json", "--registry", str(creative_registry))
    found = json.loads(run(*argv, "--model", f"creative/{NAME}").stdout)
    assert (found["model"], found["less_is_better"]) == (f"creative/{NAME}", True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--target", "sales"), "error: target 'sales' is not predicted; expected one of click_through, unsubscribed"),
        (("--alternates", "101"), "error: alternates is 101; expected 0 to 100"),
        (("--max-distance", "3"), "error: max_distance is 3.0; expected more than 0, at most 2"),
        (("--brand-rules", "none.toml"), "none.toml"),
    ],
)
def test_one_clear_error(run, argv, message) -> None:
    done = run(*ARGV, *argv, code=1)
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_whoever_wants_no_alternates_is_told_of_none(run) -> None:
    assert "catalogue" not in run(*ARGV, "--alternates", "0").stdout


def test_what_is_no_image(run, tmp_path) -> None:
    (tmp_path / "shoe.png").write_bytes(b"nothing")
    assert "error: shoe.png: not_an_image: begins with b'nothing'" in run(*ARGV, code=1).stderr


def test_in_python_pixels_bytes_and_paths_are_all_taken(creative_artifact, tmp_path) -> None:
    recommender = Recommender.load(creative_artifact, threads=1)
    (tmp_path / "shoe.png").write_bytes(PHOTO)
    answers = [
        as_json(make_prediction_recommendation(image, "click_through", "launch", model=recommender))
        for image in (PIXELS, PHOTO, tmp_path / "shoe.png", str(tmp_path / "shoe.png"))
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    again = as_json(make_prediction_recommendation(PIXELS, "click_through", "launch", model=creative_artifact))
    assert again == answers[0]


@pytest.mark.parametrize(
    ("image", "other", "message"),
    [
        (np.zeros((3, 3), np.uint8), {}, r"the image is uint8 \(3, 3\); expected uint8 \(H, W, 3\)"),
        (np.zeros((0, 3, 3), np.uint8), {}, "expected uint8"),
        (PIXELS.astype(float), {}, "the image is float64"),
        (PIXELS, {"colour": "red"}, "unknown argument 'colour'; expected brand,"),
        (PIXELS, {"brand": "x" * 201}, "brand is 'xxx.*; expected up to 200 characters"),
    ],
)
def test_in_python_one_clear_error(creative_artifact, image, other, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_prediction_recommendation(image, "click_through", model=creative_artifact, **other)


def test_the_photo_itself_is_no_alternate(creative_artifact) -> None:
    """A product of the catalogue, asked about as it is stored: neither by its name nor by its looks does it come."""
    recommender = Recommender.load(creative_artifact)
    row = recommender.catalogue.table.slice(0, 1).to_pylist()[0]
    asked = Asked("click_through", alternates=100)
    found = recommender.recommend(photo(row["product"]), asked)
    assert row["product"] not in {other.product for other in found.alternates}
    assert all(other.alike < 0.9999 for other in found.alternates)
    by_name = recommender.recommend(PIXELS, Asked("click_through", product=row["product"], alternates=100))
    assert row["product"] not in {other.product for other in by_name.alternates}
    by_file = recommender.recommend(PIXELS, asked, row["image_id"])
    assert row["product"] not in {other.product for other in by_file.alternates}


def test_a_picture_of_the_variants_is_never_enlarged() -> None:
    image = encode_image(np.zeros((20, 300, 3), np.uint8), "png")
    assert variant_images(decode_image(image), SPEC, 100)["rotated"].shape == (100, 7, 3)
    assert variant_images(decode_image(image), SPEC, 1000)["sketch"].shape == (20, 300, 3)
