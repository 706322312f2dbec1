"""From the bytes of images to an answer: decode, ask the model, draw or count. Pure; runs in a thread.

The same image, version and options give the same bytes, since nothing here looks at a clock, a random number or the
number of threads.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from features.attention_numbers import NumbersWanted, attention_numbers
from features.attention_regions import Region, RegionShare, share_changes
from features.attention_scores import AttentionScoreError, difference
from features.attention_spec import MAP_LEVELS
from features.heatmaps import draw_difference, draw_heatmap, encode_png
from features.images import ImageLimits
from features.images_fit import Map
from serving.attention.canvas import Canvas, on_one_canvas
from serving.attention.loaded import AttentionModel
from serving.attention.query import COMPARE_TYPES, HEATMAP_TYPES, CompareQuery, HeatmapQuery
from serving.errors import ProblemError
from serving.image_questions import Made, answer_headers, decoded
from serving.workshop import Check

_NAMES = ("before", "after")
_SHARE = ("share", "low", "high", "rank", "rank_low", "rank_high")


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
    regions = asked.regions()
    image = decoded(data, limits, "the image")
    check()
    density = model.attend(image)
    check()
    height, width = density.shape
    digest = hashlib.sha256(data).hexdigest()
    headers = {}
    if form == "overlay":
        body = encode_png(draw_heatmap(image, density, asked.style()))
    elif form == "map":
        most = float(density.max())
        body = encode_png(np.rint(density * np.float32(MAP_LEVELS / most)).astype(np.uint16))
        headers["X-Attention-Max"] = repr(most)
    elif form == "npy":
        body = _npy(density)
    else:
        numbers = _numbers(model, density, regions, NumbersWanted(asked.points, asked.radius, asked.fold))
        about = {"width": width, "height": height, "sha256": digest}
        body = orjson.dumps({"model": model.name, "version": model.version, "image": about, **numbers})
    headers |= _headers(model, asked, form, (digest,))
    return Made(body, HEATMAP_TYPES[form], headers, width, height, (digest,))


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
    regions = asked.regions()
    images = [decoded(data, limits, f"the image {name!r}") for name, data in zip(_NAMES, files, strict=True)]
    densities = []
    for image in images:
        check()
        densities.append(model.attend(image))
    check()
    canvas = on_one_canvas(images[1], densities[0], densities[1])
    change, moved = difference(canvas.before, canvas.after)
    digests = tuple(hashlib.sha256(data).hexdigest() for data in files)
    if form == "overlay":
        opacity = {} if asked.opacity is None else {"opacity": asked.opacity}
        body = encode_png(draw_difference(canvas.image, change, legend=asked.legend, **opacity))
    elif form == "npy":
        body = _npy(change)
    else:
        sides = {
            name: {"width": image.shape[1], "height": image.shape[0], "sha256": digest}
            for name, image, digest in zip(_NAMES, images, digests, strict=True)
        }
        numbers = _changes(model, canvas, regions, asked)
        said = {"model": model.name, "version": model.version, **sides, "aligned": canvas.aligned, "moved": moved}
        body = orjson.dumps({**said, **numbers})
    height, width = change.shape
    headers = {"X-Attention-Aligned": canvas.aligned, **_headers(model, asked, form, digests)}
    return Made(body, COMPARE_TYPES[form], headers, width, height, digests)


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
