"""The page about attention: a screenshot's heatmap, shares of regions, two designs side by side, a report to keep.

The questions are asked as the API asks them, with its limits, its places to wait in and its log.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from serving.attention import making
from serving.attention import routes as attention
from serving.attention.heatmaps import Heatmaps
from serving.attention.loaded import FAMILY, AttentionModel
from serving.attention.query import CompareQuery, HeatmapQuery
from serving.console.attention_report import comparison_report, heatmap_report
from serving.console.gatekeeping import check_script, predicts
from serving.console.pages import HOME, ConsoleRoute, page
from serving.console.sessions import Session
from serving.errors import ProblemError
from serving.image_questions import ImageQuestion, Made
from serving.models import ModelShelf
from serving.state import services
from serving.workshop import Check

router = APIRouter(route_class=ConsoleRoute)

_Somebody = Annotated[Session, Depends(predicts)]
_Heatmap = Annotated[HeatmapQuery, Query()]
_Compare = Annotated[CompareQuery, Query()]


@router.get(f"{HOME}/attention")
async def show(request: Request, _: _Somebody) -> Response:
    """Shows the page; its script does the rest."""
    shelf: ModelShelf[Any] | None = services(request).shelves.get(FAMILY)
    names = shelf.names if shelf is not None else []
    most = services(request).settings.heatmap_max_bytes
    return page(request, "attention", names=names, most_bytes=most)


@router.post(f"{HOME}/attention/overlay")
async def overlay(request: Request, session: _Somebody, asked: _Heatmap) -> Response:
    """Returns the image under colours, PNG."""
    check_script(request, session)
    return await attention.heatmap(request, _own(asked, "overlay"))


@router.post(f"{HOME}/attention/numbers")
async def numbers(request: Request, session: _Somebody, asked: _Heatmap) -> Response:
    """Returns the numbers as a part of the page."""
    check_script(request, session)
    answer = await attention.heatmap(request, _own(asked, "json"))
    return page(request, "attention_numbers", found=orjson.loads(answer.body))


@router.post(f"{HOME}/attention/report")
async def report(request: Request, session: _Somebody, asked: _Heatmap) -> Response:
    """Returns heatmap and numbers as a PDF."""
    check_script(request, session)
    heatmaps = _heatmaps(request)

    def make(model: AttentionModel, files: Mapping[str, bytes], check: Check) -> Made:
        looked = making.look(model, files["image"], heatmaps.limits, check)
        told = making.tell_heatmap(model, looked, asked, "json")
        check()
        return _as_pdf(told, heatmap_report(making.heatmap_picture(looked, asked), orjson.loads(told.body)))

    return await _report(request, heatmaps, "heatmap", _own(asked, None), ("image",), make)


@router.post(f"{HOME}/attention/compare/overlay")
async def compare_overlay(request: Request, session: _Somebody, asked: _Compare) -> Response:
    """Returns the newer image with what it gained and lost, PNG."""
    check_script(request, session)
    return await attention.compare(request, _own(asked, "overlay"))


@router.post(f"{HOME}/attention/compare/numbers")
async def compare_numbers(request: Request, session: _Somebody, asked: _Compare) -> Response:
    """Returns the numbers of two designs as a part of the page."""
    check_script(request, session)
    answer = await attention.compare(request, _own(asked, "json"))
    return page(request, "attention_compared", found=orjson.loads(answer.body))


@router.post(f"{HOME}/attention/compare/report")
async def compare_report(request: Request, session: _Somebody, asked: _Compare) -> Response:
    """Returns what became of the attention as a PDF."""
    check_script(request, session)
    heatmaps = _heatmaps(request)

    def make(model: AttentionModel, files: Mapping[str, bytes], check: Check) -> Made:
        compared = making.compare(model, (files["before"], files["after"]), heatmaps.limits, check)
        told = making.tell_comparison(model, compared, asked, "json")
        check()
        return _as_pdf(told, comparison_report(making.comparison_picture(compared, asked), orjson.loads(told.body)))

    return await _report(request, heatmaps, "compare", _own(asked, None), ("before", "after"), make)


def _own(asked: Any, form: str | None) -> Any:
    """Returns a question in another form; a version by its name is for those who send a key with each request."""
    if asked.version is not None:
        raise ProblemError(400, "no_versions_here", "the console asks the champion; ask the API about other versions")
    return asked.model_copy(update={"format": form})


def _heatmaps(request: Request) -> Heatmaps:
    found: Heatmaps | None = services(request).heatmaps
    if found is None:
        raise ProblemError(404, "unknown_model", "this service has no attention models")
    return found


async def _report(
    request: Request, heatmaps: Heatmaps, kind: str, asked: Any, images: tuple[str, ...], make: Any
) -> Response:
    line = {"kind": kind, "format": "pdf", "regions": len(asked.region)}
    urls = dict.fromkeys(images)
    question: ImageQuestion[AttentionModel] = ImageQuestion(request, heatmaps, FAMILY, (asked.model, None), urls, line)
    return await question.answer(lambda: asked.regions(), make)


def _as_pdf(told: Made, content: bytes) -> Made:
    headers = {name: value for name, value in told.headers.items() if name == "X-Model"}
    return Made(content, "application/pdf", headers, told.width, told.height, told.images)
