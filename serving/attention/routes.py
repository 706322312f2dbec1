"""The attention end-points: where people look in an image, and what became of it between two."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from serving.asked_model import asked_model
from serving.attention.heatmaps import Heatmaps
from serving.attention.images_in import fetch_image, read_images
from serving.attention.loaded import FAMILY, AttentionModel
from serving.attention.making import Made, make_comparison, make_heatmap
from serving.attention.numbers import ComparisonNumbers, HeatmapNumbers
from serving.attention.query import COMPARE_TYPES, HEATMAP_TYPES, NPY, CompareQuery, HeatmapQuery, chosen_format
from serving.attention.workshop import BusyError, Check, TimeUpError, WorkshopError
from serving.auth import any_key
from serving.errors import ProblemError, problems
from serving.models import ModelShelf
from serving.state import services

router = APIRouter(tags=["attention"], dependencies=[Depends(any_key)])

_SECURITY: list[dict[str, list[str]]] = [{"writeKey": []}, {"adminKey": []}]
_BINARY = {"type": "string", "format": "binary"}
_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "application/octet-stream")
_ERRORS = problems(400, 401, 404, 406, 408, 413, 415, 422, 429, 503)
_GONE = 499

Job = Callable[[AttentionModel, Mapping[str, bytes], str, Check], Made]


def _form(*names: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict.fromkeys(names, _BINARY), "additionalProperties": False}
    return {"multipart/form-data": {"schema": schema}}


def _answers(numbers: type, *headers: str) -> dict[int | str, dict[str, Any]]:
    named = ("ETag", "X-Model", *headers)
    return {
        200: {
            "model": numbers,
            "description": "as format or Accept says",
            "content": {kind: {"schema": _BINARY} for kind in ("image/png", NPY)},
            "headers": {name: {"schema": {"type": "string"}} for name in named},
        },
        **_ERRORS,
    }


@router.post(
    "/v1/attention/heatmap",
    operation_id="heatmap",
    response_class=Response,
    responses=_answers(HeatmapNumbers),
    openapi_extra={
        "security": _SECURITY,
        "requestBody": {"content": {**{kind: {"schema": _BINARY} for kind in _IMAGES}, **_form("image")}},
    },
)
async def heatmap(request: Request, asked: Annotated[HeatmapQuery, Query()]) -> Response:
    """Show or tell where people look in an image: the body's, or one behind an address."""

    def make(model: AttentionModel, files: Mapping[str, bytes], form: str, check: Check) -> Made:
        return make_heatmap(model, files["image"], asked, form, heatmaps.limits, check)

    heatmaps = _heatmaps(request)
    return await _Question(request, heatmaps, "heatmap", asked, HEATMAP_TYPES, {"image": asked.url}, make).answer()


@router.post(
    "/v1/attention/compare",
    operation_id="compareAttention",
    response_class=Response,
    responses=_answers(ComparisonNumbers, "X-Attention-Aligned"),
    openapi_extra={"security": _SECURITY, "requestBody": {"content": _form("before", "after")}},
)
async def compare(request: Request, asked: Annotated[CompareQuery, Query()]) -> Response:
    """Show or tell what became of the attention between an older and a newer image."""

    def make(model: AttentionModel, files: Mapping[str, bytes], form: str, check: Check) -> Made:
        return make_comparison(model, (files["before"], files["after"]), asked, form, heatmaps.limits, check)

    heatmaps = _heatmaps(request)
    urls = {"before": asked.before_url, "after": asked.after_url}
    return await _Question(request, heatmaps, "compare", asked, COMPARE_TYPES, urls, make).answer()


def _heatmaps(request: Request) -> Heatmaps:
    found: Heatmaps | None = services(request).heatmaps
    if found is None:
        raise ProblemError(
            404, "unknown_model", "this service has no attention models; set AUGURY_REGISTRY to a registry with one"
        )
    return found


class _Question:
    """One request, from its query to its answer and its line in the log."""

    def __init__(
        self,
        request: Request,
        heatmaps: Heatmaps,
        kind: str,
        asked: HeatmapQuery | CompareQuery,
        types: dict[str, str],
        urls: Mapping[str, str | None],
        make: Job,
    ) -> None:
        self._request, self._heatmaps, self._asked, self._types = request, heatmaps, asked, types
        self._urls, self._make = urls, make
        self._line: dict[str, Any] = {
            "kind": kind,
            "outcome": "failed",
            "status": 500,
            "model": asked.model,
            "version": asked.version,
            "format": asked.format,
            "images": [],
            "bytes": None,
            "width": None,
            "height": None,
            "regions": len(asked.region),
            "asked_by": "url" if any(urls.values()) else "body",
        }

    async def answer(self) -> Response:
        """Answers, and writes down how it went."""
        line, began = self._line, perf_counter()
        try:
            made = await self._made()
            line.update(outcome="made", status=200, width=made.width, height=made.height, images=list(made.images))
            return Response(made.body, headers=dict(made.headers), media_type=made.media_type)
        except ProblemError as e:
            line.update(outcome=e.error, status=e.status)
            raise
        except ClientDisconnect:
            line.update(outcome="gone", status=_GONE)
            raise
        finally:
            self._heatmaps.record({**line, "seconds": round(perf_counter() - began, 6)})

    async def _made(self) -> Made:
        form = chosen_format(self._asked.format, self._request.headers.get("accept"), self._types)
        self._line["format"] = form
        self._asked.regions()  # refuses what is none before anything is done
        self._check_urls()
        model = await self._model()
        self._line.update(model=model.name, version=model.version)
        try:
            with self._heatmaps.place() as place:
                files = await read_images(self._request, tuple(self._urls), self._heatmaps.max_bytes)
                self._check_images(files)
                return await self._heatmaps.make(place, lambda check: self._job(model, files, form, check))
        except BusyError as e:
            raise ProblemError(429, "busy", str(e), headers={"Retry-After": "1"}) from None
        except WorkshopError as e:
            error = "too_slow" if isinstance(e, TimeUpError) else "shutting_down"
            raise ProblemError(503, error, str(e), headers={"Retry-After": "5"}) from None

    def _job(
        self, model: AttentionModel, sent: Mapping[str, bytes], form: str, check: Check
    ) -> tuple[Made, Mapping[str, bytes]]:
        """Fetches what is to be fetched, and makes the answer; runs in a thread."""
        files = dict(sent)
        for name, url in self._urls.items():
            if url is not None and self._heatmaps.policy is not None:
                files[name] = fetch_image(url, self._heatmaps.policy)
                check()
        self._line["bytes"] = sum(map(len, files.values()))
        return self._make(model, files, form, check), files

    async def _model(self) -> AttentionModel:
        shelf: ModelShelf[AttentionModel] | None = services(self._request).shelves.get(FAMILY)
        name = self._asked.model
        if name is None:
            names = shelf.names if shelf is not None else []
            if len(names) != 1:
                found = f"there are {', '.join(names)}; name one with model=" if names else "none is served here"
                raise ProblemError(400 if names else 404, "which_model" if names else "unknown_model", found)
            name = names[0]
        return await asked_model(self._request, shelf, name, self._asked.version)

    def _check_urls(self) -> None:
        if self._line["asked_by"] == "url" and self._heatmaps.policy is None:
            detail = "images are not fetched here; send the image itself, or set AUGURY_HEATMAP_URL_HOSTS"
            raise ProblemError(400, "url_not_allowed", detail)

    def _check_images(self, files: Mapping[str, bytes]) -> None:
        for name, url in self._urls.items():
            if name in files and url is not None:
                raise ProblemError(400, "two_images", f"the image {name!r} is sent and named by its address; give one")
            if name not in files and url is None:
                what = "the body is empty" if not files else f"there is no image {name!r}"
                raise ProblemError(400, "no_image", f"{what}; send a PNG, JPEG, WebP, GIF or BMP file")
