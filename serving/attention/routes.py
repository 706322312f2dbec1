"""The attention end-points: where people look in an image, and what became of it between two."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from serving.attention.heatmaps import Heatmaps
from serving.attention.loaded import FAMILY, AttentionModel
from serving.attention.making import make_comparison, make_heatmap
from serving.attention.numbers import ComparisonNumbers, HeatmapNumbers
from serving.attention.query import COMPARE_TYPES, HEATMAP_TYPES, NPY, CompareQuery, HeatmapQuery, chosen_format
from serving.auth import any_key
from serving.errors import ProblemError
from serving.image_questions import BINARY, ERRORS, IMAGE_BODIES, SECURITY, ImageQuestion, Made, form
from serving.state import services
from serving.workshop import Check

router = APIRouter(tags=["attention"], dependencies=[Depends(any_key)])

_Make = Callable[[AttentionModel, Mapping[str, bytes], str, Check], Made]


def _answers(numbers: type, *headers: str) -> dict[int | str, dict[str, Any]]:
    named = ("ETag", "X-Model", *headers)
    return {
        200: {
            "model": numbers,
            "description": "as format or Accept says",
            "content": {kind: {"schema": BINARY} for kind in ("image/png", NPY)},
            "headers": {name: {"schema": {"type": "string"}} for name in named},
        },
        **ERRORS,
    }


@router.post(
    "/v1/attention/heatmap",
    operation_id="heatmap",
    response_class=Response,
    responses=_answers(HeatmapNumbers),
    openapi_extra={
        "security": SECURITY,
        "requestBody": {"content": {**IMAGE_BODIES, **form("image")}},
    },
)
async def heatmap(request: Request, asked: Annotated[HeatmapQuery, Query()]) -> Response:
    """Show or tell where people look in an image: the body's, or one behind an address."""

    def make(model: AttentionModel, files: Mapping[str, bytes], kind: str, check: Check) -> Made:
        return make_heatmap(model, files["image"], asked, kind, heatmaps.limits, check)

    heatmaps = _heatmaps(request)
    return await _answer(request, heatmaps, "heatmap", asked, HEATMAP_TYPES, {"image": asked.url}, make)


@router.post(
    "/v1/attention/compare",
    operation_id="compareAttention",
    response_class=Response,
    responses=_answers(ComparisonNumbers, "X-Attention-Aligned"),
    openapi_extra={"security": SECURITY, "requestBody": {"content": form("before", "after")}},
)
async def compare(request: Request, asked: Annotated[CompareQuery, Query()]) -> Response:
    """Show or tell what became of the attention between an older and a newer image."""

    def make(model: AttentionModel, files: Mapping[str, bytes], kind: str, check: Check) -> Made:
        return make_comparison(model, (files["before"], files["after"]), asked, kind, heatmaps.limits, check)

    heatmaps = _heatmaps(request)
    urls = {"before": asked.before_url, "after": asked.after_url}
    return await _answer(request, heatmaps, "compare", asked, COMPARE_TYPES, urls, make)


def _heatmaps(request: Request) -> Heatmaps:
    found: Heatmaps | None = services(request).heatmaps
    if found is None:
        raise ProblemError(
            404, "unknown_model", "this service has no attention models; set AUGURY_REGISTRY to a registry with one"
        )
    return found


async def _answer(
    request: Request,
    heatmaps: Heatmaps,
    kind: str,
    asked: HeatmapQuery | CompareQuery,
    types: dict[str, str],
    urls: Mapping[str, str | None],
    make: _Make,
) -> Response:
    line = {"kind": kind, "format": asked.format, "regions": len(asked.region)}
    question: ImageQuestion[AttentionModel] = ImageQuestion(
        request, heatmaps, FAMILY, (asked.model, asked.version), urls, line
    )

    def check() -> None:
        question.line["format"] = chosen_format(asked.format, request.headers.get("accept"), types)
        asked.regions()  # refuses what is none

    return await question.answer(check, lambda model, files, go: make(model, files, question.line["format"], go))
