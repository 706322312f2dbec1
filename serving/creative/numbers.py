"""The JSON answer of the recommendation end-point, for the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field


class PhotoSize(BaseModel):
    """The photo that was asked about."""

    width: int = Field(description="pixels")
    height: int = Field(description="pixels")
    sha256: str = Field(description="of its file, in hex")


class Interval(BaseModel):
    """A rate and its interval."""

    probability: float = Field(description="predicted rate, 0 to 1")
    low: float = Field(description="lower end of its interval")
    high: float = Field(description="upper end of its interval")


class Compared(Interval):
    """A rate beside that of the photo as it is."""

    difference: float = Field(description="less the rate of the photo as it is")
    difference_low: float = Field(description="lower end of its interval")
    difference_high: float = Field(description="upper end of its interval")
    better: bool | None = Field(description="reliably better or worse than the photo; null: no difference can be told")
    image: str | None = Field(description="data URL of a JPEG; null where images were not asked for")


class VariantRate(Compared):
    """A variant of the photo."""

    name: str
    distance: float = Field(description="from the photo in the recogniser's features, 0 to 2")
    limit: float = Field(description="distance up to which it is taken for the same product")
    ruled_out: list[Literal["forbidden_for_brand", "another_product"]] = Field(
        description="why it is not recommended, whatever its rate"
    )


class AlternateRate(Compared):
    """Another product's photo."""

    product: str
    name: str
    brand: str
    gender: str
    shoe_type: str
    alike: float = Field(description="cosine of the embeddings")


class BestOne(BaseModel):
    """The best of several."""

    name: str
    reliable: bool = Field(description="whether it is reliably better than every other")
    as_good: list[str] = Field(description="the others that cannot be told from it")
    better_than_given: bool | None = Field(description="as better, of the best")
    said: str = Field(description="the same in a line")


class RecommendationNumbers(BaseModel):
    """Which version of a photo to use, and which photos would do better."""

    model: str
    version: str
    image: PhotoSize
    target: str
    less_is_better: bool = Field(description="whether the best is the lowest")
    confidence: float = Field(description="of the intervals, each for itself")
    simulated: bool = Field(description="whether the model learnt from simulated conversions")
    given: Interval
    variants: list[VariantRate]
    best_variant: BestOne
    alternates: list[AlternateRate] = Field(description="most alike first")
    best_alternate: BestOne | None
    known: dict[str, bool] = Field(description="of what was told of the campaign, whether the model has seen it")
    notes: list[str] = Field(description="what was asked and could not be taken into account")
