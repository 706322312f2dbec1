"""The page about product photos: a photo and a campaign, and the five answers of the recommendation."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from serving.console.gatekeeping import check_script, predicts
from serving.console.pages import HOME, ConsoleRoute, page
from serving.console.sessions import Session
from serving.creative import routes as creative
from serving.creative.loaded import FAMILY, CreativeVersion
from serving.creative.query import RecommendQuery
from serving.errors import ProblemError
from serving.models import ModelShelf
from serving.state import services

router = APIRouter(route_class=ConsoleRoute)

_Somebody = Annotated[Session, Depends(predicts)]
_FIELDS = {"campaign_type": "Campaign type", "industry": "Industry", "kind": "Shoe type", "brand": "Brand"}
_FIELDS |= {"gender": "Gender"}


@router.get(f"{HOME}/creative")
async def show(request: Request, _: _Somebody, model: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Shows the form; its script does the rest."""
    shelf: ModelShelf[CreativeVersion] | None = services(request).shelves.get(FAMILY)
    names = shelf.names if shelf is not None else []
    chosen = model if model in names else (names[0] if names else "")
    champion = shelf.champion(chosen) if shelf is not None else None
    told = champion.described() if champion is not None else {}
    error = shelf.error(chosen) if shelf is not None and names else ""
    fields = [(name, label, told.get("categories", {}).get(name, [])) for name, label in _FIELDS.items()]
    values: dict[str, Any] = {"names": names, "chosen": chosen, "targets": told.get("targets", []), "fields": fields}
    most = services(request).settings.heatmap_max_bytes
    return page(request, "creative", simulated=told.get("simulated"), error=error, most_bytes=most, **values)


@router.post(f"{HOME}/creative/answers")
async def answers(request: Request, session: _Somebody, asked: Annotated[RecommendQuery, Query()]) -> Response:
    """Returns the five answers as a part of the page."""
    check_script(request, session)
    if asked.version is not None:
        raise ProblemError(400, "no_versions_here", "the console asks the champion; ask the API about other versions")
    answer = await creative.recommend(request, asked)
    found = orjson.loads(answer.body)
    rates = [found["given"], *found["variants"], *found["alternates"]]
    return page(request, "creative_answers", found=found, top=max(rate["high"] for rate in rates))
