"""``augury heatmap`` on real files: pictures, numbers, errors, and inputs that stay as they are."""

import json
import os
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from augury import cli
from features.heatmaps import HeatmapStyle, draw_heatmap, encode_png
from features.images import decode_image
from models.attention.card import measured_fixations
from models.attention.pages import attend
from models.attention.predictor import Predictor, PredictorError
from models.gates import GateResult
from models.registry import Registry
from tests.tiny_attention import write_attention_artifact


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_attention_artifact(tmp_path_factory.mktemp("attention") / "model", regions={"effective_fixations": 9})


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*argv, code=0):
        done = CliRunner().invoke(cli.app, ("heatmap", *argv), env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done

    return invoke


def page(height=90, width=144, spot=(60, 30)):
    image = np.full((height, width, 3), 60, np.uint8)
    image[spot[1] : spot[1] + 20, spot[0] : spot[0] + 20] = 250
    return image


@pytest.fixture
def shots(tmp_path):
    """A folder: two pages, a file that is none, one of no image's name, and one drawn earlier."""
    folder = tmp_path / "shots"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(encode_png(page()))
    (folder / "deep" / "b.png").write_bytes(encode_png(page(spot=(10, 60))))
    (folder / "broken.jpg").write_bytes(b"nothing")
    (folder / "site.css").write_text("a {}")
    (folder / "old.heat.png").write_bytes(encode_png(page()))
    return folder


def test_the_picture_is_the_librarys(run, artifact, tmp_path) -> None:
    (tmp_path / "page.png").write_bytes(encode_png(page()))
    done = run("page.png", "-o", "heat.png", "--artifact", str(artifact))
    assert done.stdout == "heat.png: 144 x 90 pixels\n"
    density = attend(Predictor.load(artifact), page())
    assert (tmp_path / "heat.png").read_bytes() == encode_png(draw_heatmap(page(), density))
    again = (tmp_path / "heat.png").read_bytes()
    run("page.png", "-o", "heat.png", "--artifact", str(artifact))
    assert (tmp_path / "heat.png").read_bytes() == again
    flags = ("--colours", "viridis", "--opacity", "0.5", "--contours", "0.5", "--contours", "0.9", "--no-legend")
    run("page.png", "-o", "heat.png", "--artifact", str(artifact), *flags)
    style = HeatmapStyle("viridis", 0.5, (0.5, 0.9), legend=False)
    assert (tmp_path / "heat.png").read_bytes() == encode_png(draw_heatmap(page(), density, style))


def test_the_numbers_are_json_on_stdout(run, artifact, tmp_path) -> None:
    (tmp_path / "page.png").write_bytes(encode_png(page()))
    boxes = [{"name": "spot", "x": 60, "y": 30, "width": 20, "height": 20}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    flags = ("--json", "--regions", "boxes.json", "--fold-px", "45", "--points", "1", "--artifact", str(artifact))
    done = run("page.png", *flags)
    found = json.loads(done.stdout)
    assert (found["model"], found["version"]) == (str(artifact), "unpublished")
    assert found["image"] == {"path": "page.png", "width": 144, "height": 90, "heatmap": None}
    assert found["interval"] == {"level": 0.95, "effective_fixations": 9, "source": "model card"}
    # A grey level of 190 more is e ** (190 / 24) = 2742 times as attractive.
    assert found["regions"][0]["share"] > 0.9
    [hottest] = found["hottest_points"]
    assert 60 < hottest["x"] < 80 and 30 < hottest["y"] < 50
    assert 0.5 < found["above_the_fold"]["share"] < 0.9  # 15 of the spot's 20 rows
    assert sorted(os.listdir(tmp_path)) == ["boxes.json", "page.png"]


def test_a_folder_is_drawn_into_a_folder_and_what_cannot_be_read_is_told(run, artifact, shots, tmp_path) -> None:
    done = run("shots", "-o", "drawn", "--artifact", str(artifact), code=1)
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "drawn").rglob("*.png")) == [
        "drawn/a.heat.png",
        "drawn/deep/b.heat.png",
    ]
    assert done.stdout.splitlines() == [f"drawn/{name}.heat.png: 144 x 90 pixels" for name in ("a", "deep/b")]
    assert done.stderr.splitlines() == [
        f"error: {shots}/broken.jpg: not_an_image: begins with b'nothing'; expected JPEG, PNG, WebP, GIF or BMP",
        "2 files in folders are no images by their names and were passed over",
    ]
    assert not list(tmp_path.rglob("*.tmp"))


def test_several_images_and_patterns(run, artifact, shots, tmp_path) -> None:
    done = run("shots/a.png", "shots/deep/*", "--json", "-o", "drawn", "--artifact", str(artifact))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["image"]["heatmap"] for row in rows] == ["drawn/a.heat.png", "drawn/b.heat.png"]
    found = decode_image((tmp_path / "drawn" / "b.heat.png").read_bytes())
    assert found.shape == (90, 144, 3)


def test_a_model_of_another_family_is_told(run, shots, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_card.json").write_text('{"family": "behavior"}')
    done = run("shots/a.png", "--json", "--artifact", "other", code=1)
    assert done.stderr == "error: other is a model of behavior; expected one of attention\n"


def test_a_model_of_the_registry(run, artifact, shots, tmp_path) -> None:
    registry = Registry(tmp_path / "registry")
    argv = ("shots/a.png", "--json", "--registry", "registry")
    assert run(*argv, code=1).stderr == (
        "error: registry has no models of attention; publish one, or name a folder with --artifact\n"
    )
    version = registry.publish(artifact, "attention", "pages")
    assert "attention/pages has no champion yet" in run(*argv, code=1).stderr
    registry.promote("attention", "pages", version, lambda *_: [GateResult("all", True, "fine")])
    found = json.loads(run(*argv).stdout)
    assert (found["model"], found["version"]) == ("attention/pages", version)
    argv_of_another = (*argv, "--model", "attention/photos")
    assert run(*argv_of_another, code=1).stderr == (
        "error: there is no attention/photos in this registry; it has attention/pages\n"
    )
    registry.publish(artifact, "attention", "photos")
    said = run(*argv, code=1).stderr
    assert said == (
        "error: registry has 2 models of attention; it has attention/pages, attention/photos; name one with --model\n"
    )
    argv = (*argv, "--model-version", "latest", "--model")
    assert json.loads(run(*argv, "attention/photos").stdout)["model"] == "attention/photos"
    said = " ".join(run(*argv, "behavior/pages", code=2).stderr.replace("│", "").split())
    assert "'behavior/pages' is no model of attention" in said


@pytest.mark.parametrize("output", ["page.png", "./page.png", "link.png", "hard.png"])
def test_no_input_is_overwritten_whatever_it_is_called(run, artifact, tmp_path, output) -> None:
    (tmp_path / "page.png").write_bytes(encode_png(page()))
    (tmp_path / "link.png").symlink_to("page.png")
    os.link(tmp_path / "page.png", tmp_path / "hard.png")
    done = run("page.png", "-o", output, "--artifact", str(artifact), code=1)
    assert done.stderr == f"error: {output} would overwrite the image page.png; choose another output\n"
    assert (tmp_path / "page.png").read_bytes() == encode_png(page())


def test_an_input_in_the_folder_of_the_output_is_not_overwritten(run, artifact, shots) -> None:
    (shots / "a.heat.png").write_bytes(encode_png(page()))
    done = run("shots/a.png", "shots/a.heat.png", "-o", "shots", "--artifact", str(artifact), code=1)
    assert "shots/a.heat.png would overwrite the image shots/a.heat.png" in done.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("shots/a.png", "-o", "heat.jpg"), "heat.jpg is to hold a PNG; give it a name that ends in .png"),
        (("shots", "-o", "heat.png"), "heat.png cannot hold several images; name a folder"),
        (("nowhere.png", "-o", "heat.png"), "nowhere.png: there is no such file or folder; name images (.png, "),
        (("empty", "-o", "heat"), "empty: it holds no images; name images"),
        (
            ("shots/a.png", "shots/a.jpg", "-o", "heat"),
            "shots/a.png and shots/a.jpg would both be drawn as heat/a.heat",
        ),
        (("shots/a.png", "--json", "--regions", "shots/site.css"), "regions are not JSON"),
        (("shots/a.png", "-o", "heat.png", "--colours", "jet"), "colours 'jet'; expected one of viridis, cividis"),
        (("shots/a.png", "-o", "heat.png", "--points", "51"), "points 51; expected 1 to 50"),
    ],
)
def test_mistakes_are_told_before_any_work(run, artifact, shots, tmp_path, argv, words) -> None:
    (tmp_path / "empty").mkdir()
    (shots / "a.jpg").write_bytes(encode_png(page()))
    done = run(*argv, "--artifact", str(artifact), code=1)
    assert done.stderr.startswith(f"error: {words}")
    assert not (tmp_path / "heat.png").exists() and not (tmp_path / "heat").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("shots/a.png",), "nothing is asked for; name a PNG to draw, or ask for --json"),
        (("shots/a.png", "-o", "x.png", "--regions", "b.json"), "shares are numbers; ask for --json, too"),
        (("shots/a.png", "--json", "--model", "attention/pages"), "leave out --model or --artifact"),
    ],
)
def test_contradictions_exit_with_2(run, artifact, shots, argv, words) -> None:
    done = run(*argv, "--artifact", str(artifact), code=2)
    assert words in " ".join(done.stderr.replace("│", "").split())


def test_a_region_beyond_one_image_is_an_error_of_that_image(run, artifact, shots, tmp_path) -> None:
    (shots / "small.png").write_bytes(encode_png(page(40, 144, spot=(0, 0))))
    (tmp_path / "boxes.json").write_text('[{"name": "low", "x": 0, "y": 50, "width": 20, "height": 20}]')
    flags = ("--json", "-o", "heat", "--regions", "boxes.json", "--artifact", str(artifact))
    done = run("shots/a.png", "shots/small.png", *flags, code=1)
    assert [json.loads(line)["image"]["path"] for line in done.stdout.splitlines()] == ["shots/a.png"]
    assert done.stderr.startswith("error: shots/small.png: region 'low' goes from (0, 50) to (20, 70); expected it")
    assert os.listdir(tmp_path / "heat") == ["a.heat.png"]


def test_a_huge_file_is_not_read(run, artifact, tmp_path) -> None:
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(40 * 2**30)  # sparse
    done = run("huge.png", "-o", "heat.png", "--artifact", str(artifact), code=1)
    assert done.stderr == f"error: huge.png: too_large_bytes: {40 * 2**30} bytes; expected at most {32 * 2**20}\n"


def test_what_is_no_artifact_is_one_line(run, shots) -> None:
    done = run("shots/a.png", "-o", "heat.png", "--artifact", "shots", code=1)
    assert done.stderr.startswith("error: cannot read shots/attention_spec.json: no such file")


def test_a_picture_that_cannot_be_written_leaves_nothing(run, artifact, shots, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    done = run("shots/a.png", "-o", "file/heat.png", "--artifact", str(artifact), code=1)
    assert done.stderr.startswith("error: cannot write file/heat.png: ")
    assert not list(tmp_path.rglob("*.tmp"))


def test_it_needs_no_torch() -> None:
    assert "torch" not in sys.modules


def test_what_a_card_says_of_fixations(tmp_path) -> None:
    card = tmp_path / "model_card.json"
    for text, expected in (("{}", None), ('{"regions": null}', None), ('{"regions": {"effective_fixations": 7}}', 7)):
        card.write_text(text)
        assert measured_fixations(tmp_path) == expected
    for text, words in (
        ("[", "holds no JSON object"),
        ("[]", "holds no JSON object"),
        ('{"regions": {}}', "regions is {}; expected effective_fixations"),
        ('{"regions": 3}', "regions is 3; expected effective_fixations"),
        ('{"regions": {"effective_fixations": 0}}', "effective_fixations is 0; expected 1 to 100000"),
        ('{"regions": {"effective_fixations": true}}', "effective_fixations is True; expected"),
    ):
        card.write_text(text)
        with pytest.raises(PredictorError, match=words):
            measured_fixations(tmp_path)
