"""What may be asked of an attention map: the options of the end-points, and the form of the answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from features.attention_numbers import FOLD_PX, MOST_POINTS
from features.attention_regions import MOST_REGIONS, Region
from features.attention_scores import AttentionScoreError
from features.heatmaps import HeatmapStyle
from serving.errors import ProblemError

NPY = "application/x-npy"

_STYLE = HeatmapStyle()
_Share = Annotated[float, Field(gt=0, lt=1)]
_RegionText = Annotated[str, Field(max_length=200, examples=["Buy:900,520,220,64"])]


class _Query(BaseModel):
    """Options that both end-points have."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, allow_inf_nan=False)

    model: str | None = Field(
        None, max_length=64, description="name of the model; only needed where several are served"
    )
    version: str | None = Field(
        None, max_length=64, description="a version by its whole name, instead of the champion; needs an admin key"
    )
    region: list[_RegionText] = Field(
        [],
        max_length=MOST_REGIONS,
        description="NAME:X,Y,WIDTH,HEIGHT in pixels of the image; may come again and again",
    )
    fold: float = Field(FOLD_PX, gt=0, le=1_000_000, description="height of the first screen, pixels of the image")
    opacity: float | None = Field(None, ge=0, le=1, description="of the strongest colour")
    legend: bool = Field(True, description="draw what the colours mean")
    write_key: str | None = Field(None, alias="writeKey", max_length=512, description="where no header can be sent")

    def regions(self) -> list[Region]:
        """Returns the regions that are asked about.

        Raises:
            ProblemError: 400 ``bad_region``: a text that is none.
        """
        return [_region(text) for text in self.region]


class HeatmapQuery(_Query):
    """Options of a heatmap."""

    url: str | None = Field(
        None, max_length=2048, description="address of the image, where the settings allow its host"
    )
    format: Literal["overlay", "map", "npy", "json"] | None = Field(
        None,
        description="overlay: the image under colours, PNG; map: 16-bit PNG; npy: float32 (H, W); json: numbers. "
        "Without it, what Accept asks for, and an overlay for whoever takes anything",
    )
    colours: Literal["viridis", "cividis", "inferno", "magma", "plasma"] = Field(
        "inferno", description="colour map of the overlay"
    )
    contour: list[_Share] = Field(
        [], max_length=10, description="share of all attention that a drawn line encloses; may come again and again"
    )
    points: int = Field(5, ge=1, le=MOST_POINTS, description="most hottest points")
    radius: float | None = Field(
        None, gt=0, le=10_000, description="pixels around a hottest point; a twentieth of the shorter side unless given"
    )

    def style(self) -> HeatmapStyle:
        """Returns how the overlay is drawn."""
        opacity = _STYLE.opacity if self.opacity is None else self.opacity
        return HeatmapStyle(self.colours, opacity, tuple(self.contour), self.legend)


class CompareQuery(_Query):
    """Options of a comparison."""

    before_url: str | None = Field(None, max_length=2048, description="address of the older image, as url of a heatmap")
    after_url: str | None = Field(None, max_length=2048, description="address of the newer image, likewise")
    format: Literal["overlay", "npy", "json"] | None = Field(
        None,
        description="overlay: the newer image with what it gained in red and lost in blue, PNG; npy: float32 (H, W), "
        "newer less older; json: numbers. Without it, what Accept asks for, and an overlay for whoever takes anything",
    )


HEATMAP_TYPES = {"overlay": "image/png", "json": "application/json", "npy": NPY, "map": "image/png"}
"""Media type of each form of a heatmap; of two with one type, ``Accept`` means the first."""

COMPARE_TYPES = {"overlay": "image/png", "json": "application/json", "npy": NPY}
"""Media type of each form of a comparison."""


def chosen_format(given: str | None, accept: str | None, types: dict[str, str]) -> str:
    """Returns the form of the answer: the one that is given, or the one that ``Accept`` likes best (RFC 9110, 12.5.1).

    Raises:
        ProblemError: 406 for an ``Accept`` that takes none of them.
    """
    if given is not None:
        return given
    if not accept or not accept.strip():
        return next(iter(types))
    quality = {form: _quality(accept, kind) for form, kind in types.items()}
    best = max(quality, key=lambda form: quality[form])
    if quality[best] <= 0:
        offered = ", ".join(dict.fromkeys(types.values()))
        raise ProblemError(
            406, "not_acceptable", f"Accept takes none of {offered}; ask for one of them, or give format"
        )
    return best


def _quality(accept: str, kind: str) -> float:
    """Returns how much a media type is liked, 0 to 1: what the range that fits it most exactly says."""
    exact = {kind: 3, f"{kind.partition('/')[0]}/*": 2, "*/*": 1}
    best, liked = 0, 0.0
    for text in accept.lower().split(","):
        media, *parameters = (part.strip() for part in text.split(";"))
        if exact.get(media, 0) > best:
            best, liked = exact[media], _weight(parameters)
    return liked


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _region(text: str) -> Region:
    name, colon, box = text.rpartition(":")
    try:
        x, y, width, height = (float(number) for number in box.split(","))
        if not colon:
            raise ValueError(text)
    except ValueError:
        expected = "expected NAME:X,Y,WIDTH,HEIGHT in pixels, as Buy:900,520,220,64"
        raise ProblemError(400, "bad_region", f"{text!r} is no region; {expected}") from None
    try:
        return Region(name, x, y, width, height)
    except AttentionScoreError as e:
        raise ProblemError(400, "bad_region", str(e)) from None
