"""The model end-points, for administrators: what is served, why something is not, and looking for a champion now."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
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


class ServedModel(BaseModel):
    """A model that this worker answers with."""

    model: str
    version: str | None = Field(default=None, description="the champion that answers; none while none could be loaded")
    error: str | None = Field(default=None, description="why the registry's champion does not answer")
    loaded_at_us: int | None = Field(default=None, description="when it was loaded, microseconds UTC")
    generator: str | None = Field(default=None, description="the example generator that it was trained with")
    classes: int | None = None
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
    """List the models that are served."""
    shelf: ModelShelf | None = services(request).models
    return ServedModels(models=[] if shelf is None else [_served(shelf, name) for name in shelf.names])


@router.get("/v1/models/{model}", operation_id="showModel", responses=problems(400, 404), openapi_extra=_SECURITY)
async def show_model(request: Request, model: _Name) -> ServedModel:
    """Show a model that is served."""
    return _served(_shelf_with(request, model), model)


@router.post(
    "/v1/models/{model}/reload", operation_id="reloadModel", responses=problems(400, 404), openapi_extra=_SECURITY
)
async def reload_model(request: Request, model: _Name) -> ServedModel:
    """Look for a model's champion now.

    Each worker looks by itself every few seconds; this asks the one that answers.
    """
    shelf: ModelShelf | None = services(request).models
    if shelf is None:
        raise _unknown(model)
    await shelf.refresh(model)
    return _served(_shelf_with(request, model), model)


def _shelf_with(request: Request, name: str) -> ModelShelf:
    shelf: ModelShelf | None = services(request).models
    if shelf is None or name not in shelf.names:
        raise _unknown(name)
    return shelf


def _unknown(name: str) -> ProblemError:
    return ProblemError(404, "unknown_model", f"no model {name!r} is served here; GET /v1/models lists them")


def _served(shelf: ModelShelf, name: str) -> ServedModel:
    found, error = shelf.champion(name), shelf.error(name) or None
    if found is None:
        return ServedModel(model=name, error=error)
    return ServedModel(
        model=name,
        error=error,
        version=found.version,
        loaded_at_us=found.loaded_at_us,
        generator=found.spec.generator,
        classes=found.spec.classes,
        sequence_length=found.spec.sequence_length,
        hides=list(found.spec.hides),
        begins_after=list(found.spec.begins_after),
        base_rates=found.base_rates.astype(float).tolist(),
        segment_edges=[list(edges) for edges in found.segment_edges],
        metrics=dict(found.card.get("metrics") or {}),
    )
