"""What may be asked of a creative model: the options of the end-point."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Value = Annotated[str, Field(max_length=200)]


class RecommendQuery(BaseModel):
    """Options of a recommendation; what is left out is unknown."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, allow_inf_nan=False)

    target: Annotated[str, Field(max_length=64, examples=["click_through"])] = Field(
        description="what is predicted, one of the model's targets"
    )
    campaign_type: _Value = Field("", description="of the campaign")
    industry: _Value = Field("", description="of the campaign")
    shoe_type: _Value = Field("", description="kind of product; alternates are of the same kind")
    brand: _Value = Field("", description="of the product; brand rules go by it")
    gender: _Value = Field("", description="that the product is for")
    product: _Value = Field("", description="its name in the catalogue; it is no alternate to itself")
    alternates: int = Field(20, ge=0, le=100, description="most photos of the catalogue to compare with")
    images: bool = Field(True, description="send the variants and the alternates along, as data URLs of JPEGs")
    size: int = Field(256, ge=16, le=2048, description="most pixels of a variant's longer side; it is never enlarged")
    model: str | None = Field(
        None, max_length=64, description="name of the model; only needed where several are served"
    )
    version: str | None = Field(
        None, max_length=64, description="a version by its whole name, instead of the champion; needs an admin key"
    )
    url: str | None = Field(
        None, max_length=2048, description="address of the image, where the settings allow its host"
    )
    write_key: str | None = Field(None, alias="writeKey", max_length=512, description="where no header can be sent")
