"""``augury clicks`` on real files: the picture, the numbers beside it, and what is said where there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from augury import cli
from augury.click_pictures import side_by_side
from features.events import EVENT_SCHEMA
from features.heatmaps import HeatmapStyle, draw_heatmap, encode_png
from features.images import decode_image
from features.tombstones import Tombstones
from models.attention.pages import attend
from models.attention.predictor import Predictor
from tests.tiny_attention import write_attention_artifact

NOW_US = 1_767_571_200_000_000
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_attention_artifact(tmp_path_factory.mktemp("attention") / "model")


@pytest.fixture
def run(tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.png").write_bytes(encode_png(page()))

    def invoke(*argv: str, code: int = 0, image: str = "page.png") -> Result:
        given = ["clicks", "/shoes", image, "--events", "archive/events", "--artifact", str(artifact), *argv]
        done = CliRunner().invoke(cli.app, given, env={"COLUMNS": "160"})
        assert done.exit_code == code, done.output
        return done

    return invoke


def page() -> Any:
    """A desktop page in small: 160 x 100 with a bright spot, which is where the tiny model looks."""
    image = np.full((100, 160, 3), 60, np.uint8)
    image[30:50, 60:80] = 250
    return image


def click(visitor: str, number: int, x: float, y: float, width: int, agent: str = AGENT) -> dict[str, Any]:
    facts = {"x": x, "y": y, "page_width": width, "page_height": 900, "viewport_width": width, "viewport_height": 700}
    return {
        "message_id": f"{visitor}-{number}",
        "anonymous_id": visitor,
        "type": "track",
        "event": "Element Clicked",
        "timestamp_us": NOW_US + number,
        "received_at_us": NOW_US + number,
        "url": "https://shop.example/shoes?x=1",
        "user_agent": agent,
        "properties": orjson.dumps(facts).decode(),
    }


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    path = folder / "archive/events/date=2026-01-05/hour=00/part-1.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, EVENT_SCHEMA), path)


def on_the_spot(count: int) -> list[dict[str, Any]]:
    """Clicks of a page 1600 wide on its bright spot, which is at 600 to 800 by 300 to 500."""
    return [click(f"v{n % 30}", n, 610 + n % 180, 310 + n % 170, 1600) for n in range(count)]


def test_clicks_on_what_is_bright_agree_with_a_model_that_looks_there(
    run: Callable[..., Result], tmp_path: Path, artifact: Path
) -> None:
    phones = [click(f"p{n}", n, 100, 100, 375) for n in range(7)]
    bots = [click("bot", n, 1, 1, 1600, "Mozilla/5.0 (compatible; Googlebot/2.1)") for n in range(5)]
    forgotten = [click("gone", n, 1, 1, 1600) for n in range(5)]
    below = [click("v1", 500, 10, 5000, 1600)]
    write(tmp_path, [*on_the_spot(120), *phones, *bots, *forgotten, *below])
    Tombstones.append(str(tmp_path / "archive/tombstones"), ["gone"], NOW_US + 1000)
    done = run("-o", "out.png", "--pixel-ratio", "0.1")
    said = orjson.loads((tmp_path / "out.json").read_bytes())
    assert (said["clicks"], said["visitors"], said["not_measured"]) == (120, 30, None)
    assert (said["windows"], said["outside_the_screenshot"]) == ("from 1200 px", 1)
    assert [(other["windows"], other["clicks"]) for other in said["not_comparable"]] == [
        ("0 to 767 px", 7),
        ("768 to 1199 px", 0),
    ]
    assert said["nss"]["low"] > 1 and said["cc"]["low"] > 0.4
    assert said["nss"]["low"] <= said["nss"]["value"] <= said["nss"]["high"]
    assert "120 clicks of 30 visitors" in done.stdout and "7 clicks in windows 0 to 767 px wide" in done.output
    drawn = decode_image((tmp_path / "out.png").read_bytes())
    predicted = attend(Predictor.load(artifact), page())
    right = draw_heatmap(page(), predicted, HeatmapStyle(legend=False))
    assert np.array_equal(drawn[-100:, -160:], right)
    assert drawn.shape[1] == 2 * 160 + 4


def test_few_clicks_are_said_and_drawn_and_not_measured(run: Callable[..., Result], tmp_path: Path) -> None:
    write(tmp_path, on_the_spot(10))
    done = run("-o", "out.png", "--pixel-ratio", "0.1")
    said = orjson.loads((tmp_path / "out.json").read_bytes())
    assert (said["nss"], said["cc"]) == (None, None)
    assert "not measured: 10 clicks of 10 visitors on the screenshot; at least 50 of 20" in done.stdout
    assert (tmp_path / "out.png").exists()
    run("-o", "more.png", "--pixel-ratio", "0.1", "--min-clicks", "10", "--min-visitors", "10")
    assert orjson.loads((tmp_path / "more.json").read_bytes())["nss"]["value"] > 1


def test_clicks_of_another_layout_are_not_put_on_the_screenshot(run: Callable[..., Result], tmp_path: Path) -> None:
    """The screenshot is 160 wide: that of a phone, at one pixel to a CSS pixel."""
    write(tmp_path, on_the_spot(120))
    run("-o", "out.png")
    said = orjson.loads((tmp_path / "out.json").read_bytes())
    assert (said["windows"], said["clicks"], said["nss"]) == ("0 to 767 px", 0, None)
    assert said["not_comparable"][1]["clicks"] == 120
    left = decode_image((tmp_path / "out.png").read_bytes())[-100:, :160]
    assert np.array_equal(left, page())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-o", "out.jpg"), "out.jpg is to hold a PNG"),
        (("-o", "page.png"), "page.png would overwrite the screenshot"),
        (("-o", "out.png", "--pixel-ratio", "0"), "pixel_ratio is 0; expected 0.1 to 10"),
        (("-o", "out.png", "--breakpoints", "9", "--breakpoints", "5"), "expected rising widths above 0"),
        (("-o", "out.png", "--events", "nowhere"), "nowhere: no such file"),
    ],
)
def test_what_cannot_be_is_one_line(
    argv: tuple[str, ...], message: str, run: Callable[..., Result], tmp_path: Path
) -> None:
    write(tmp_path, on_the_spot(1))
    done = run(*argv, code=1)
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_no_clicks_and_no_image(run: Callable[..., Result], tmp_path: Path) -> None:
    write(tmp_path, [{**click("a", 1, 1, 1, 1600), "url": "https://shop.example/boots"}])
    assert "no click with a position on /shoes" in run("-o", "out.png", code=1).stderr
    (tmp_path / "broken.png").write_bytes(b"nothing")
    assert "broken.png: " in run("-o", "out.png", code=1, image="broken.png").stderr


def test_a_title_takes_what_room_there_is() -> None:
    narrow = page()[:, :20]
    drawn = side_by_side(narrow, None, np.ones((100, 20)), ("a very long title", "b"))
    assert drawn.shape[1] == 44 and np.array_equal(drawn[-100:, :20], narrow)
