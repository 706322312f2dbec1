"""The pages about visitors: who they are, what they did, how the probability moved; and what collection takes."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from features.recent_events import MAX_ID_BYTES, Recent, RecentEventsError
from models.behavior.loaded import FAMILY, LoadedModel
from serving.asked_model import asked_model
from serving.console.api import ask_as_administrator
from serving.console.charts import Bar, Point
from serving.console.gatekeeping import administers
from serving.console.pages import HOME, ConsoleRoute, page
from serving.console.sessions import Session
from serving.console.state import console
from serving.console.throughput import Look, rates
from serving.console.visitor_view import VisitorView, stamp, view_visitor
from serving.errors import ProblemError
from serving.scoring import ScorerBusyError
from serving.state import services
from serving.store import StoreUnavailableError

router = APIRouter(route_class=ConsoleRoute)

_Administrator = Annotated[Session, Depends(administers)]
_Visitor = Annotated[str, Query(max_length=600)]
_Model = Annotated[str, Query(max_length=64)]


@router.get(f"{HOME}/behavior")
async def behavior(request: Request, _: _Administrator, visitor: _Visitor = "", model: _Model = "") -> Response:
    """Shows the form to look a visitor up, the visitor that was asked for, and what collection takes."""
    shelf = services(request).shelves.get(FAMILY)
    names = shelf.names if shelf is not None else []
    asked, chosen = visitor.strip(), model or (names[0] if names else "")
    view, problem = None, ""
    if asked:
        try:
            view = await _view(request, asked, chosen)
        except ProblemError as e:
            problem = e.detail
    values: dict[str, Any] = _shown(view) if view is not None else {"view": None}
    looks = await console(request).throughput.looks()
    told: dict[str, Any] = {
        "asked": asked,
        "chosen": chosen,
        "names": names,
        "problem": problem,
        **_throughput(request, looks),
    }
    return page(request, "behavior", **values, **told)


@router.get(f"{HOME}/behavior/visitor")
async def visitor_now(
    request: Request,
    _: _Administrator,
    visitor: _Visitor,
    model: _Model,
    seen: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Shows the visitor anew, for a script; 204 while nothing has changed since ``seen``."""
    recent, loaded = await _recent(request, visitor), await _loaded(request, model)
    if seen and stamp(recent, loaded) == seen:
        return Response(status_code=204)
    return page(request, "visitor", **_shown(await _scored(request, loaded, recent)))


@router.get(f"{HOME}/behavior/explain")
async def explain(request: Request, _: _Administrator, visitor: _Visitor, model: _Model) -> Response:
    """Shows which events moved the probability, for a script, where the API can tell."""
    path = f"/v1/predict/{quote(model, safe='')}/{quote(visitor, safe='')}"
    answer = await ask_as_administrator(request, path, {"explain": "occlusion"})
    return page(request, "attribution", answer=answer, attribution=answer.get("attribution"))


@router.get(f"{HOME}/behavior/throughput")
async def throughput(request: Request, _: _Administrator) -> Response:
    """Shows what collection takes, for a script."""
    looks = await console(request).throughput.looks()
    return page(request, "throughput", **_throughput(request, looks))


async def _view(request: Request, visitor: str, model: str) -> VisitorView:
    return await _scored(request, await _loaded(request, model), await _recent(request, visitor))


async def _loaded(request: Request, model: str) -> LoadedModel:
    loaded: LoadedModel = await asked_model(request, services(request).shelves.get(FAMILY), model, None)
    return loaded


async def _recent(request: Request, visitor: str) -> Recent:
    if not visitor or len(visitor.encode(errors="replace")) > MAX_ID_BYTES + len("user:"):
        raise ProblemError(400, "bad_visitor", f"give an anonymous id, or user: and a user id, of {MAX_ID_BYTES} bytes")
    try:
        found: Recent = await services(request).store.recent(visitor)
    except StoreUnavailableError:
        raise ProblemError(503, "store_unavailable", "the fast store cannot be read now; try again later") from None
    return found


async def _scored(request: Request, model: LoadedModel, recent: Recent) -> VisitorView:
    try:
        return await view_visitor(services(request).scorer, model, recent)
    except ScorerBusyError as e:
        raise ProblemError(429, "busy", str(e)) from None
    except RecentEventsError as e:
        raise ProblemError(503, "store_unreadable", str(e)) from None


def _shown(view: VisitorView) -> dict[str, Any]:
    points = [Point(step.time_us, step.event, step.probability, step.known) for step in view.steps]
    return {"view": view, "points": points}


def _throughput(request: Request, looks: list[Look]) -> dict[str, Any]:
    bars = [Bar(rate.ago, rate.seconds, rate.accepted, rate.other) for rate in rates(looks)]
    last = looks[-1]
    outcomes: dict[str, float] = {}
    for (outcome, _), value in last.events.items():
        outcomes[outcome] = outcomes.get(outcome, 0.0) + value
    reasons = sorted(((value, *key) for key, value in last.events.items() if key[1]), reverse=True)
    refused = sorted(((value, key[0]) for key, value in last.refused.items()), reverse=True)
    return {
        "bars": bars,
        "outcomes": outcomes,
        "reasons": reasons,
        "refused": refused,
        "workers": services(request).settings.workers,
    }
