"""The model end-points, for administrators: what is served, why something is not, and looking for a champion now."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from serving.auth import admin_key
from serving.errors import ProblemError, problems
from serving.models import ModelShelf
from serving.state import services

router = APIRouter(
    tags=["models"],
    dependencies=[Depends(admin_key)],
    responses=problems(401),
)
_SECURITY: dict[str, Any] = {"security": [{"adminKey": []}]}
_Name = Annotated[str, Path(max_length=64, description="name of the model")]
_Family = Annotated[Literal["behavior", "attention", "creative"], Query(description="family of the model")]


class ServedModel(BaseModel):
    """A model that this worker answers with."""

    family: str
    model: str
    version: str | None = Field(default=None, description="the champion that answers; none while none could be loaded")
    error: str | None = Field(default=None, description="why the registry's champion does not answer")
    loaded_at_us: int | None = Field(default=None, description="when it was loaded, microseconds UTC")
    generator: str | None = Field(default=None, description="the example generator that it was trained with")
    classes: int | None = None
    width: int | None = Field(default=None, description="of its input, pixels")
    height: int | None = Field(default=None, description="of its input, pixels")
    sets: list[str] = Field(default=[], description="gaze sets that it was trained with")
    effective_fixations: int | None = Field(
        default=None, description="what its confidence intervals stand for, where that was measured"
    )
    targets: list[str] = Field(default=[], description="rates that it predicts")
    variants: list[str] = Field(default=[], description="of a photo, that it compares")
    categories: dict[str, list[str]] = Field(default={}, description="values that it has seen of each category")
    catalogue: int | None = Field(default=None, description="products that it takes alternates from")
    simulated: bool | None = Field(default=None, description="whether it learnt from simulated conversions")
    sequence_length: int | None = Field(default=None, description="most events that it reads")
    hides: list[str] = Field(default=[], description="names of events that it does not see")
    begins_after: list[str] = Field(default=[], description="names of events that it does not reach back beyond")
    base_rates: list[float] = Field(
        default=[], description="of each class; the answer where nothing is known of a visitor"
    )
    segment_edges: list[list[float]] = Field(
        default=[], description="of each class, the probabilities between the segments"
    )
    metrics: dict[str, Any] = Field(default={}, description="on its test split")


class ServedModels(BaseModel):
    """All models that this worker answers with."""

    models: list[ServedModel]


@router.get("/v1/models", operation_id="listModels", openapi_extra=_SECURITY)
async def list_models(request: Request) -> ServedModels:
    """List the models that are served, of all families."""
    shelves: dict[str, ModelShelf[Any]] = services(request).shelves
    return ServedModels(models=[_served(shelf, name) for shelf in shelves.values() for name in shelf.names])


@router.get("/v1/models/{model}", operation_id="showModel", responses=problems(400, 404), openapi_extra=_SECURITY)
async def show_model(request: Request, model: _Name, family: _Family = "behavior") -> ServedModel:
    """Show a model that is served."""
    return _served(_shelf_with(request, family, model), model)


@router.post(
    "/v1/models/{model}/reload", operation_id="reloadModel", responses=problems(400, 404), openapi_extra=_SECURITY
)
async def reload_model(request: Request, model: _Name, family: _Family = "behavior") -> ServedModel:
    """Look for a model's champion now.

    Each worker looks by itself every few seconds; this asks the one that answers.
    """
    shelf: ModelShelf[Any] | None = services(request).shelves.get(family)
    if shelf is None:
        raise _unknown(family, model)
    await shelf.refresh(model)
    return _served(_shelf_with(request, family, model), model)


def _shelf_with(request: Request, family: str, name: str) -> ModelShelf[Any]:
    shelf: ModelShelf[Any] | None = services(request).shelves.get(family)
    if shelf is None or name not in shelf.names:
        raise _unknown(family, name)
    return shelf


def _unknown(family: str, name: str) -> ProblemError:
    return ProblemError(404, "unknown_model", f"no {family} model {name!r} is served here; GET /v1/models lists them")


def _served(shelf: ModelShelf[Any], name: str) -> ServedModel:
    found, error = shelf.champion(name), shelf.error(name) or None
    if found is None:
        return ServedModel(family=shelf.family, model=name, error=error)
    return ServedModel(
        family=shelf.family,
        model=name,
        error=error,
        version=found.version,
        loaded_at_us=found.loaded_at_us,
        **found.described(),
    )
