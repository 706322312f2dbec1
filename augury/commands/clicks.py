"""``augury clicks``."""

from typing import Annotated, Any

import orjson
import typer

from augury import heatmap_files
from augury.click_events import read_events
from augury.click_pictures import side_by_side
from augury.commands import screen
from augury.commands.choosing import ArtifactOption, ModelOption, VersionOption, choose
from augury.commands.parameters import RegistryRoot
from features.clicks import (
    BREAKPOINTS,
    REQUIRED_COLUMNS,
    Clicks,
    ClicksError,
    clicks_on,
    in_range,
    place_clicks,
    width_ranges,
)
from features.heatmaps import encode_png
from features.images import ImageLimits, decode_image
from features.images_headers import ImageError
from features.storage import atomic_write
from models.attention.click_map import LEVEL, ClickRules, click_density, compare_clicks
from models.attention.pages import attend
from models.attention.predictor import Predictor

_FAMILY = "attention"
_LIMITS = ImageLimits()
_MOST_CLICKS = 1_000_000
_NOTE = "clicks are not glances: NSS above 0 says that attention was predicted where people clicked; CC stays below 1"


def clicks(
    page: Annotated[str, typer.Argument(help="address of the page, https://shop.example/shoes, or its path: /shoes")],
    screenshot: Annotated[str, typer.Argument(help="image of the page, of its full length; local or gs://")],
    events: Annotated[
        list[str], typer.Option("--events", help="events to read, such as archive/events; repeat for more")
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="PNG to draw; the numbers go beside it as .json")],
    pixel_ratio: Annotated[
        float, typer.Option(help="pixels of the screenshot to a CSS pixel: 2 for that of a high-density screen")
    ] = 1.0,
    breakpoints: Annotated[
        list[int] | None, typer.Option(help="window widths at which the layout changes; repeat for more [768, 1200]")
    ] = None,
    min_clicks: Annotated[int, typer.Option(help="with fewer there is no number")] = ClickRules.min_clicks,
    min_visitors: Annotated[int, typer.Option(help="with fewer there is no number")] = ClickRules.min_visitors,
    adapter: Annotated[str, typer.Option(help="canonical, segment, or the path of a mapping file")] = "canonical",
    format: Annotated[str | None, typer.Option(help="jsonl, csv or parquet, where the names do not tell")] = None,
    cleaning: Annotated[str | None, typer.Option(help="path of a TOML file with cleaning rules")] = None,
    model: ModelOption = None,
    version: VersionOption = "champion",
    registry: RegistryRoot = "registry",
    artifact: ArtifactOption = None,
) -> None:
    """Compare where people clicked on a page with its predicted heatmap.

    Reads the clicks that the browser library recorded, by the width of the window, and puts those of the screenshot's
    own range of widths on it. Draws their map beside the predicted one, and says by NSS and CC, each with an interval
    over visitors, how far the two agree. With few clicks it says so instead; clicks in windows of other widths saw
    another layout and are counted only.

    **Examples**

    - `augury clicks /shoes shoes.png --events augury-state/archive/events -o shoes-clicks.png`
    - `augury clicks https://shop.example/ home-phone.png --events archive/events -o home.png --pixel-ratio 2`
    """
    if not output.lower().endswith(".png"):
        raise ClicksError(f"{output} is to hold a PNG; give it a name that ends in .png")
    if not 0.1 <= pixel_ratio <= 10:
        raise ClicksError(f"pixel_ratio is {pixel_ratio:g}; expected 0.1 to 10")
    if heatmap_files.identity(output) == heatmap_files.identity(screenshot):
        raise ClicksError(f"{output} would overwrite the screenshot; choose another output")
    ranges = width_ranges(breakpoints or BREAKPOINTS)
    try:
        image = decode_image(heatmap_files.read_image(screenshot, _LIMITS), _LIMITS)
    except ImageError as error:
        raise ClicksError(f"{screenshot}: {error}") from error
    height, width = image.shape[:2]
    own = next(bounds for bounds in reversed(ranges) if width / pixel_ratio >= bounds[0])
    with screen.spinner("reading clicks"):
        batches = read_events(events, REQUIRED_COLUMNS, adapter=adapter, format=format, cleaning=cleaning)
        found, left_out = clicks_on(batches, page, _MOST_CLICKS)
    if not len(found):
        raise ClicksError(
            f"{', '.join(events)}: no click with a position on {page}; check the address, and that the page has the "
            "browser library with clicks on"
        )
    placed = place_clicks(found.take(in_range(found, own)), width, height)
    with screen.spinner("asking the model"):
        chosen = choose(_FAMILY, artifact, registry, model, version)
        predictor = Predictor.load(chosen.folder)
        predicted = attend(predictor, image)
        sigma = predictor.spec.sigma_px
        measured = compare_clicks(placed, predicted, sigma, ClickRules(min_clicks, min_visitors))
    said = {
        "page": page,
        "screenshot": {"path": screenshot, "width": width, "height": height, "pixel_ratio": pixel_ratio},
        "model": chosen.name,
        "version": chosen.version,
        "windows": _named(own),
        **measured,
        "outside_the_screenshot": placed.outside,
        "interval": {"level": LEVEL, "over": "visitors"},
        "sigma_px": sigma,
        "not_comparable": [_other(found, bounds) for bounds in ranges if bounds != own],
        "left_out": left_out,
        "note": _NOTE,
    }
    titles = (f"{measured['clicks']:,} clicks of {measured['visitors']:,} visitors", f"predicted: {chosen.name}")
    picture = side_by_side(image, click_density(placed, height, width, sigma), predicted, titles)
    atomic_write(output, encode_png(picture))
    beside = f"{output[: -len('.png')]}.json"
    atomic_write(beside, orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _show(said, output, beside)


def _show(said: dict[str, Any], output: str, beside: str) -> None:
    if said["not_measured"] is None:
        rows = [
            (name, f"{said[key]['value']:.3f}", f"{said[key]['low']:.3f} to {said[key]['high']:.3f}")
            for name, key in (("NSS of the prediction at the clicks", "nss"), ("CC of the two maps", "cc"))
        ]
        title = f"{said['page']}: {said['clicks']:,} clicks of {said['visitors']:,} visitors"
        screen.table(title, ("", "value", f"{LEVEL:.0%} interval"), rows, right=(1, 2))
    else:
        screen.line(f"{said['page']}: not measured: {said['not_measured']}")
    for other in said["not_comparable"]:
        if other["clicks"]:
            screen.note(
                f"{other['clicks']:,} clicks in windows {other['windows']} wide: not comparable, another layout"
            )
    if said["outside_the_screenshot"]:
        screen.note(f"{said['outside_the_screenshot']:,} clicks lay outside the screenshot")
    screen.line(f"{output}, {beside}: {said['note']}")


def _other(found: Clicks, bounds: tuple[int, int | None]) -> dict[str, Any]:
    return {
        "windows": _named(bounds),
        "clicks": int(in_range(found, bounds).sum()),
        "why": "a window of this width shows another layout than the screenshot",
    }


def _named(bounds: tuple[int, int | None]) -> str:
    low, high = bounds
    return f"from {low} px" if high is None else f"{low} to {high - 1} px"
