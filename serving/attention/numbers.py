"""The JSON answers of the attention end-points, for the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field


class ImageSize(BaseModel):
    """An image that was asked about."""

    width: int = Field(description="pixels")
    height: int = Field(description="pixels")
    sha256: str = Field(description="of its file, in hex")


class Box(BaseModel):
    """A region, as it was asked about."""

    name: str
    x: float
    y: float
    width: float
    height: float


class Share(BaseModel):
    """A region's part of all attention."""

    share: float = Field(description="0 to 1")
    low: float = Field(description="lower end of its interval")
    high: float = Field(description="upper end of its interval")
    rank: int = Field(description="its place among the regions; 1 has most")
    rank_low: int = Field(description="best place within the interval")
    rank_high: int = Field(description="worst place within the interval")


class RegionNumbers(Box, Share):
    """A region and its part of all attention."""

    area: float = Field(description="its part of the image, 0 to 1")
    lift: float = Field(description="share / area: 1 where attention is as dense as on average")


class RegionChange(Box):
    """A region before and after."""

    before: Share
    after: Share
    change: float = Field(description="share after less share before")
    apart: bool = Field(description="whether the two intervals have nothing in common")


class Interval(BaseModel):
    """What the intervals stand for."""

    level: float
    effective_fixations: int = Field(description="so many fixations, drawn from the map, would scatter as much")
    source: Literal["model card", "default"] = Field(description="whether the model's own error was measured")


class HottestPoint(BaseModel):
    """A local maximum."""

    x: float = Field(description="pixels of the image")
    y: float = Field(description="pixels of the image")
    share: float = Field(description="of attention within the radius that no hotter point has")


class Fold(BaseModel):
    """The share of attention above the fold."""

    fold_px: float
    share: float


class Change(BaseModel):
    """A number before and after."""

    before: float
    after: float
    change: float


class FoldChange(Change):
    """The share of attention above the fold, before and after."""

    fold_px: float


class HeatmapNumbers(BaseModel):
    """Where people look in an image, in numbers."""

    model: str
    version: str
    image: ImageSize
    regions: list[RegionNumbers] = Field(description="in the order that they were asked about")
    interval: Interval
    hottest_points: list[HottestPoint] = Field(description="hottest first")
    hottest_radius_px: float
    focus_score: float = Field(description="0: attention is even over the image; 100: all in one place")
    focus_formula: str
    above_the_fold: Fold


class ComparisonNumbers(BaseModel):
    """What became of the attention between two images, in numbers."""

    model: str
    version: str
    before: ImageSize
    after: ImageSize
    aligned: Literal["same", "top", "scaled"] = Field(description="how images of different sizes were brought together")
    moved: float = Field(description="share of attention that went elsewhere, 0 to 1")
    regions: list[RegionChange] = Field(description="in the order that they were asked about")
    interval: Interval
    focus_score: Change
    focus_formula: str
    above_the_fold: FoldChange
