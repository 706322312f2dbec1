"""``augury heatmap``."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer

from augury import heatmap_files
from augury.commands import screen
from augury.commands.choosing import ArtifactOption, ModelOption, VersionOption, choose
from augury.commands.flags import takes
from augury.commands.parameters import RegistryRoot
from augury.heatmap_files import Drawing
from features.attention_numbers import NumbersWanted, attention_numbers, read_regions
from features.attention_regions import Region
from features.attention_scores import AttentionScoreError
from features.errors import AuguryError
from features.heatmaps import HeatmapStyle, draw_heatmap, encode_png
from features.images import ImageLimits, Pixels, decode_image
from features.images_headers import ImageError
from features.storage import StorageError, atomic_write, read_text
from models.attention.card import measured_fixations
from models.attention.pages import attend
from models.attention.predictor import Predictor

_FAMILY = "attention"
_LIMITS = ImageLimits()


@dataclasses.dataclass(frozen=True)
class HeatmapOptions:
    """What is drawn, and what is said of it."""

    style: HeatmapStyle
    numbers: NumbersWanted


class _ImageFailedError(AuguryError, ValueError):
    """One image of which nothing can be drawn or said; the others can."""


@dataclasses.dataclass(frozen=True)
class _Model:
    predictor: Predictor
    name: str
    version: str
    measured_fixations: int | None


@takes(HeatmapOptions)
def heatmap(
    options: HeatmapOptions,
    images: Annotated[list[str], typer.Argument(help="images, folders of them or patterns; local or gs://")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="PNG to draw; of several images, a folder of NAME.heat.png")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the numbers, one JSON object an image")] = False,
    regions: Annotated[
        str | None, typer.Option(help="with --json: file of boxes to give the shares of; see docs/cli.md")
    ] = None,
    model: ModelOption = None,
    version: VersionOption = "champion",
    registry: RegistryRoot = "registry",
    artifact: ArtifactOption = None,
) -> None:
    """Draw where people will look on an image.

    Asks a model of attention about pages, photographs or full-page screenshots (which are cut into tiles) and draws
    the answer over them. With `--json` it says the answer in numbers: the hottest points, how focused attention is, how
    much of it is above the fold, and the share of named boxes. An image that cannot be read is told in one line, the
    others are drawn all the same, and the exit code is 1. An input is never overwritten.

    **Examples**

    - `augury heatmap page.png -o heat.png` : the registry's only model of attention
    - `augury heatmap page.png -o heat.png --artifact model --colours viridis --contours 0.5 --contours 0.9`
    - `augury heatmap screenshots -o heatmaps --model attention/pages --registry gs://bucket/registry`
    - `augury heatmap page.png --json --regions boxes.json --fold-px 900` : numbers, no picture
    """
    if output is None and not json:
        raise typer.BadParameter("nothing is asked for; name a PNG to draw, or ask for --json", param_hint="--output")
    if regions is not None and not json:
        raise typer.BadParameter("shares are numbers; ask for --json, too", param_hint="--regions")
    boxes = read_regions(read_text(regions)) if regions else []
    found = heatmap_files.plan(images, output)
    with screen.spinner("loading the model"):
        loaded = _load(artifact, registry, model, version)
    failed = 0
    with screen.progress("drawing") as bar:
        for number, drawing in enumerate(found.drawings):
            try:
                _draw(drawing, loaded, options, boxes, json)
            except _ImageFailedError as error:
                failed += 1
                screen.error(str(error))
            bar(number + 1, len(found.drawings))
    if found.passed_over:
        screen.note(f"{found.passed_over:,} files in folders are no images by their names and were passed over")
    if failed:
        raise typer.Exit(1)


def _draw(drawing: Drawing, model: _Model, options: HeatmapOptions, boxes: Sequence[Region], json: bool) -> None:
    image = _read(drawing.image)
    density = attend(model.predictor, image)
    height, width = density.shape
    about = {"path": drawing.image, "width": width, "height": height, "heatmap": drawing.output}
    said: dict[str, Any] = {}
    if json:
        try:
            said = attention_numbers(density, boxes, options.numbers, measured_fixations=model.measured_fixations)
        except AttentionScoreError as error:
            raise _ImageFailedError(f"{drawing.image}: {error}") from error
    if drawing.output is not None:
        atomic_write(drawing.output, encode_png(draw_heatmap(image, density, options.style)))
    if json:
        screen.line(orjson.dumps({"model": model.name, "version": model.version, "image": about, **said}).decode())
    else:
        screen.line(f"{drawing.output}: {width} x {height} pixels")


def _read(path: str) -> Pixels:
    try:
        return decode_image(heatmap_files.read_image(path, _LIMITS), _LIMITS)
    except ImageError as error:
        raise _ImageFailedError(f"{path}: {error}") from error
    except StorageError as error:
        raise _ImageFailedError(str(error)) from error


def _load(artifact: str | None, registry: str, model: str | None, version: str) -> _Model:
    found = choose(_FAMILY, artifact, registry, model, version)
    return _Model(Predictor.load(found.folder), found.name, found.version, measured_fixations(found.folder))
