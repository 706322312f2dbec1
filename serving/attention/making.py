"""From the bytes of images to an answer: decode, ask the model, draw or count. Pure; runs in a thread.

The same image, version and options give the same bytes, since nothing here looks at a clock, a random number or the
number of threads.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from features.attention_numbers import NumbersWanted, attention_numbers
from features.attention_regions import Region, RegionShare, share_changes
from features.attention_scores import AttentionScoreError, difference
from features.attention_spec import MAP_LEVELS
from features.heatmaps import draw_difference, draw_heatmap, encode_png
from features.images import ImageLimits, Pixels
from features.images_fit import Map
from serving.attention.canvas import Canvas, on_one_canvas
from serving.attention.loaded import AttentionModel
from serving.attention.query import COMPARE_TYPES, HEATMAP_TYPES, CompareQuery, HeatmapQuery
from serving.errors import ProblemError
from serving.image_questions import Made, answer_headers, decoded
from serving.workshop import Check

_NAMES = ("before", "after")
_SHARE = ("share", "low", "high", "rank", "rank_low", "rank_high")


class Looked(NamedTuple):
    """An image, where people look on it, and which file it was.

    Attributes:
        image: uint8 (H, W, 3).
        density: float32 (H, W), sum 1.
        digest: SHA-256 of the file, in hex.
    """

    image: Pixels
    density: Map
    digest: str


class Compared(NamedTuple):
    """What became of the attention between two images.

    Attributes:
        images: the older and the newer one.
        digests: SHA-256 of their files, in hex.
        canvas: both maps on one image.
        change: float32 (H, W), the newer map less the older one.
        moved: how much attention went elsewhere, 0 to 1.
    """

    images: tuple[Pixels, ...]
    digests: tuple[str, ...]
    canvas: Canvas
    change: Map
    moved: float


def make_heatmap(
    model: AttentionModel, data: bytes, asked: HeatmapQuery, form: str, limits: ImageLimits, check: Check
) -> Made:
    """Answers where people look in one image.

    Args:
        model: that says it.
        data: the image's file.
        asked: what about it.
        form: one of ``HEATMAP_TYPES``.
        limits: on the image.
        check: called between the steps.

    Raises:
        ProblemError: the image cannot be read, or a region is not on it.
    """
    asked.regions()  # refused before anything is looked at
    return tell_heatmap(model, look(model, data, limits, check), asked, form)


def look(model: AttentionModel, data: bytes, limits: ImageLimits, check: Check) -> Looked:
    """Asks a model where people look in the image of a file.

    Raises:
        ProblemError: it cannot be read.
    """
    image = decoded(data, limits, "the image")
    check()
    density = model.attend(image)
    check()
    return Looked(image, density, hashlib.sha256(data).hexdigest())


def tell_heatmap(model: AttentionModel, looked: Looked, asked: HeatmapQuery, form: str) -> Made:
    """Returns an answer about an image that was looked at, in one of ``HEATMAP_TYPES``.

    Raises:
        ProblemError: a region is not on it.
    """
    density, digest = looked.density, looked.digest
    height, width = density.shape
    headers = {}
    if form == "overlay":
        body = encode_png(heatmap_picture(looked, asked))
    elif form == "map":
        most = float(density.max())
        body = encode_png(np.rint(density * np.float32(MAP_LEVELS / most)).astype(np.uint16))
        headers["X-Attention-Max"] = repr(most)
    elif form == "npy":
        body = _npy(density)
    else:
        numbers = _numbers(model, density, asked.regions(), NumbersWanted(asked.points, asked.radius, asked.fold))
        about = {"width": width, "height": height, "sha256": digest}
        body = orjson.dumps({"model": model.name, "version": model.version, "image": about, **numbers})
    headers |= _headers(model, asked, form, (digest,))
    return Made(body, HEATMAP_TYPES[form], headers, width, height, (digest,))


def heatmap_picture(looked: Looked, asked: HeatmapQuery) -> Pixels:
    """Returns the image under colours, uint8 (H, W, 3)."""
    return draw_heatmap(looked.image, looked.density, asked.style())


def make_comparison(
    model: AttentionModel,
    files: tuple[bytes, bytes],
    asked: CompareQuery,
    form: str,
    limits: ImageLimits,
    check: Check,
) -> Made:
    """Answers what became of the attention between an older and a newer image.

    Args:
        model: that says it.
        files: the files of the older and the newer image.
        asked: what about them.
        form: one of ``COMPARE_TYPES``.
        limits: on each image.
        check: called between the steps.

    Raises:
        ProblemError: an image cannot be read, or a region is not on them.
    """
    asked.regions()
    return tell_comparison(model, compare(model, files, limits, check), asked, form)


def compare(model: AttentionModel, files: tuple[bytes, bytes], limits: ImageLimits, check: Check) -> Compared:
    """Asks a model about the images of an older and a newer file, and sets the answers beside each other.

    Raises:
        ProblemError: an image cannot be read.
    """
    images = tuple(decoded(data, limits, f"the image {name!r}") for name, data in zip(_NAMES, files, strict=True))
    densities = []
    for image in images:
        check()
        densities.append(model.attend(image))
    check()
    canvas = on_one_canvas(images[1], densities[0], densities[1])
    change, moved = difference(canvas.before, canvas.after)
    return Compared(images, tuple(hashlib.sha256(data).hexdigest() for data in files), canvas, change, moved)


def tell_comparison(model: AttentionModel, compared: Compared, asked: CompareQuery, form: str) -> Made:
    """Returns an answer about two images that were compared, in one of ``COMPARE_TYPES``.

    Raises:
        ProblemError: a region is not on them.
    """
    canvas, digests = compared.canvas, compared.digests
    if form == "overlay":
        body = encode_png(comparison_picture(compared, asked))
    elif form == "npy":
        body = _npy(compared.change)
    else:
        sides = {
            name: {"width": image.shape[1], "height": image.shape[0], "sha256": digest}
            for name, image, digest in zip(_NAMES, compared.images, digests, strict=True)
        }
        numbers = _changes(model, canvas, asked.regions(), asked)
        about = {"model": model.name, "version": model.version, **sides}
        body = orjson.dumps({**about, "aligned": canvas.aligned, "moved": compared.moved, **numbers})
    height, width = compared.change.shape
    headers = {"X-Attention-Aligned": canvas.aligned, **_headers(model, asked, form, digests)}
    return Made(body, COMPARE_TYPES[form], headers, width, height, digests)


def comparison_picture(compared: Compared, asked: CompareQuery) -> Pixels:
    """Returns the newer image with what it gained and lost, uint8 (H, W, 3)."""
    opacity = {} if asked.opacity is None else {"opacity": asked.opacity}
    return draw_difference(compared.canvas.image, compared.change, legend=asked.legend, **opacity)


def _changes(model: AttentionModel, canvas: Canvas, regions: Sequence[Region], asked: CompareQuery) -> dict[str, Any]:
    wanted = NumbersWanted(points=1, fold_px=asked.fold)
    before, after = (_numbers(model, each, regions, wanted) for each in (canvas.before, canvas.after))
    folds = [numbers["above_the_fold"]["share"] for numbers in (before, after)]
    return {
        "regions": [_change(*pair) for pair in zip(before["regions"], after["regions"], strict=True)],
        "interval": before["interval"],
        "focus_score": _pair(before["focus_score"], after["focus_score"]),
        "focus_formula": before["focus_formula"],
        "above_the_fold": {"fold_px": asked.fold, **_pair(*folds)},
    }


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    sides = [RegionShare(**{name: each[name] for name in RegionShare._fields}) for each in (before, after)]
    [change] = share_changes(sides[:1], sides[1:])
    box = {name: before[name] for name in ("name", "x", "y", "width", "height")}
    shares = {side: {name: each[name] for name in _SHARE} for side, each in (("before", before), ("after", after))}
    return {**box, **shares, "change": change.change, "apart": change.apart}


def _numbers(model: AttentionModel, density: Map, regions: Sequence[Region], wanted: NumbersWanted) -> dict[str, Any]:
    try:
        return attention_numbers(density, regions, wanted, measured_fixations=model.measured_fixations)
    except AttentionScoreError as e:
        raise ProblemError(400, "bad_region", str(e)) from None


def _pair(before: float, after: float) -> dict[str, float]:
    return {"before": before, "after": after, "change": after - before}


def _npy(values: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _headers(
    model: AttentionModel, asked: HeatmapQuery | CompareQuery, form: str, digests: Sequence[str]
) -> dict[str, str]:
    """Returns the headers that say what answered; the ETag stands for all that decides the bytes."""
    options = asked.model_dump(exclude={"model", "version", "format", "write_key", "url", "before_url", "after_url"})
    return {**answer_headers(model, digests, [form, options]), "Vary": "Accept"}
