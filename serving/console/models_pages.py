"""The pages about models: the list, a model, a version, two versions side by side, promotion and rollback."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from models.gates import GateError, Thresholds
from models.registry import Registry
from serving.console import registry_view
from serving.console.evaluation_view import judged
from serving.console.gatekeeping import administers, changing_form
from serving.console.pages import HOME, ConsoleRoute, asks_as_script, page, redirect
from serving.console.promotions import PromotionBusyError, Wanted
from serving.console.sessions import Session
from serving.console.state import console
from serving.errors import ProblemError
from serving.models import ModelShelf
from serving.settings import FAMILIES
from serving.state import services

router = APIRouter(route_class=ConsoleRoute)

_MOST_REASON = 500
_MODELS = f"{HOME}/models"
_Family = Annotated[str, Path(max_length=64)]
_Name = Annotated[str, Path(max_length=64)]
_Version = Annotated[str, Path(max_length=64)]
_Administrator = Annotated[Session, Depends(administers)]


@router.get(_MODELS)
async def models(request: Request, _: _Administrator) -> Response:
    """Lists the models of all families."""
    root = services(request).settings.registry
    found = [] if root is None else await asyncio.to_thread(registry_view.read_models, Registry(root), FAMILIES, 12)
    return page(request, "models", registry=root, models=found, served=_served(request))


@router.get(f"{HOME}/promotion")
async def promotion(request: Request, _: _Administrator) -> Response:
    """Shows how the last promotion goes, for a script only the part that changes."""
    found = console(request).promotions.last()
    if found is not None and found["state"] == "promoted":
        await _follow(request, found["family"], found["name"])
    return page(request, "promotion_state" if asks_as_script(request) else "promotion", job=found)


@router.get(f"{_MODELS}/{{family}}/{{name}}")
async def model(request: Request, family: _Family, name: _Name, _: _Administrator) -> Response:
    """Shows a model: its versions and what happened to them."""
    registry = _registry(request)
    _check_family(family)
    view = await asyncio.to_thread(registry_view.read_model, registry, family, name)
    lines = await asyncio.to_thread(registry_view.read_history, registry, family, name)
    served = _served(request).get((family, name))
    return page(request, "model", view=view, lines=lines, served=served)


@router.get(f"{_MODELS}/{{family}}/{{name}}/compare")
async def compare(
    request: Request,
    family: _Family,
    name: _Name,
    _: _Administrator,
    first: Annotated[str, Query(max_length=64)] = "",
    second: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Shows the metrics and calibration curves of two versions side by side."""
    registry = _registry(request)
    _check_family(family)
    view = await asyncio.to_thread(registry_view.read_model, registry, family, name)
    if not first or not second:
        raise ProblemError(400, "two_versions_needed", "choose two versions to compare")
    both = [
        await asyncio.to_thread(registry_view.read_version, registry, family, name, version)
        for version in (first, second)
    ]
    pairs = await asyncio.to_thread(registry_view.compare, registry, family, name, first, second)
    curves = [judged(one.evaluation) for one in both]
    return page(request, "compare", view=view, first=both[0], second=both[1], pairs=pairs, curves=curves)


@router.get(f"{_MODELS}/{{family}}/{{name}}/rollback")
async def rollback_form(request: Request, family: _Family, name: _Name, _: _Administrator) -> Response:
    """Asks whether the champion's predecessor shall be champion again."""
    registry = _registry(request)
    _check_family(family)
    view = await asyncio.to_thread(registry_view.read_model, registry, family, name)
    if view.champion is None or not view.champion.predecessors:
        raise ProblemError(409, "nothing_to_roll_back_to", "the champion has no predecessor; promote a version instead")
    return page(request, "rollback", view=view)


@router.post(f"{_MODELS}/{{family}}/{{name}}/rollback")
async def rollback(request: Request, family: _Family, name: _Name, session: _Administrator) -> Response:
    """Makes the champion's predecessor champion again."""
    fields = await changing_form(request, session)
    registry = _registry(request)
    _check_family(family)
    now = await asyncio.to_thread(registry.champion, family, name)
    _check_confirmed(fields)
    if now is None or fields.get("champion") != now.version:
        raise ProblemError(409, "champion_changed", "the champion has changed since the page was opened; look again")
    await asyncio.to_thread(registry.rollback, family, name, _reason(fields), session.by)
    await _follow(request, family, name)
    return redirect(f"{_MODELS}/{family}/{name}")


@router.get(f"{_MODELS}/{{family}}/{{name}}/{{version}}")
async def version(request: Request, family: _Family, name: _Name, version: _Version, _: _Administrator) -> Response:
    """Shows all about a version."""
    registry = _registry(request)
    _check_family(family)
    view = await asyncio.to_thread(registry_view.read_version, registry, family, name, version)
    return page(request, "version", view=view, judged=judged(view.evaluation))


@router.get(f"{_MODELS}/{{family}}/{{name}}/{{version}}/promote")
async def promote_form(
    request: Request, family: _Family, name: _Name, version: _Version, _: _Administrator
) -> Response:
    """Asks whether a version shall be champion, and says what it has to pass."""
    registry = _registry(request)
    _check_family(family)
    view = await asyncio.to_thread(registry_view.read_version, registry, family, name, version)
    slice_margin = Thresholds.of(family).slice_margin
    return page(request, "promote", view=view, slice_margin=slice_margin, running=console(request).promotions.running)


@router.post(f"{_MODELS}/{{family}}/{{name}}/{{version}}/promote")
async def promote(
    request: Request, family: _Family, name: _Name, version: _Version, session: _Administrator
) -> Response:
    """Begins a promotion, in a process of its own."""
    fields = await changing_form(request, session)
    registry = _registry(request)
    _check_family(family)
    _check_confirmed(fields)
    await asyncio.to_thread(registry.manifest, family, name, version)  # refuses what is no version
    root = services(request).settings.registry or ""
    wanted = Wanted(root, family, name, version, _reason(fields), session.by)
    try:
        await console(request).promotions.start(wanted)
    except PromotionBusyError as e:
        raise ProblemError(409, "busy", str(e)) from None
    return redirect(f"{HOME}/promotion")


def _registry(request: Request) -> Registry:
    root = services(request).settings.registry
    if root is None:
        raise ProblemError(404, "no_registry", "this service has no registry; set AUGURY_REGISTRY and start it again")
    return Registry(root)


def _served(request: Request) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns of each model that this worker answers with: the version, and why it is not the champion."""
    shelves: dict[str, ModelShelf[Any]] = services(request).shelves
    return {
        (shelf.family, name): {
            "version": champion.version if (champion := shelf.champion(name)) else None,
            "error": shelf.error(name),
        }
        for shelf in shelves.values()
        for name in shelf.names
    }


async def _follow(request: Request, family: str, name: str) -> None:
    """Has this worker look for the champion now; the others do within AUGURY_MODEL_POLL_SECONDS."""
    shelf: ModelShelf[Any] | None = services(request).shelves.get(family)
    if shelf is not None:
        await shelf.refresh(name)


def _check_family(family: str) -> None:
    try:
        Thresholds.of(family)
    except GateError as e:
        raise ProblemError(404, "unknown_family", str(e)) from None


def _check_confirmed(fields: dict[str, str]) -> None:
    if fields.get("confirmed") != "yes":
        raise ProblemError(400, "not_confirmed", "tick the box that says that you mean it")


def _reason(fields: dict[str, str]) -> str:
    found = " ".join(fields.get("reason", "").split())
    if len(found) > _MOST_REASON:
        raise ProblemError(400, "reason_too_long", f"the reason has {len(found)} characters; at most {_MOST_REASON}")
    return found
