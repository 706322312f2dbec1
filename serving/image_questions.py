"""A question about images, from its request to its answer and its line in the log: what end-points share."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import Any, Generic, Protocol, TypeVar

import orjson
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from features.fetching_policy import FetchPolicy
from features.images import ImageLimits, Pixels, decode_image
from features.images_headers import NOT_AN_IMAGE, TOO_LARGE_BYTES, TOO_MANY_PIXELS, UNSUPPORTED_FORMAT, ImageError
from serving.asked_model import asked_model
from serving.errors import ProblemError, problems
from serving.images_in import fetch_image, read_images
from serving.models import Loaded, ModelShelf
from serving.state import services
from serving.workshop import BusyError, Check, Place, TimeUpError, WorkshopError

M = TypeVar("M", bound=Loaded)

SECURITY: list[dict[str, list[str]]] = [{"writeKey": []}, {"adminKey": []}]
BINARY = {"type": "string", "format": "binary"}
IMAGE_BODIES = {
    kind: {"schema": BINARY}
    for kind in ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "application/octet-stream")
}
ERRORS = problems(400, 401, 404, 406, 408, 413, 415, 422, 429, 503)
_GONE = 499
_STATUS = {NOT_AN_IMAGE: 415, UNSUPPORTED_FORMAT: 415, TOO_LARGE_BYTES: 413, TOO_MANY_PIXELS: 413}


@dataclass(frozen=True)
class Made:
    """An answer.

    Attributes:
        body: of the response.
        media_type: of it.
        headers: of it, its ETag among them.
        width: of what was answered about, pixels.
        height: of it, pixels.
        images: SHA-256, in hex, of each image's file.
        told: further fields of the line in the log.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    width: int
    height: int
    images: tuple[str, ...]
    told: Mapping[str, Any] = field(default_factory=dict)


Job = Callable[[M, Mapping[str, bytes], Check], Made]
"""Makes an answer of a model and the image files by name."""


class Works(Protocol):
    """What answers are made with: threads and places, limits, a log."""

    @property
    def max_bytes(self) -> int:
        """Most bytes of the image files of a request together."""

    @property
    def policy(self) -> FetchPolicy | None:
        """Which addresses images may be fetched from; None: from none."""

    def place(self) -> AbstractContextManager[Place]:
        """Takes a place in the workshop."""

    async def make(self, place: Place, job: Callable[[Check], tuple[Made, Mapping[str, bytes]]]) -> Made:
        """Has an answer made in a thread."""

    def record(self, line: Mapping[str, Any]) -> None:
        """Logs and counts what became of a request."""


class ImageQuestion(Generic[M]):
    """One request.

    Attributes:
        line: what the log will say of it.
    """

    def __init__(
        self,
        request: Request,
        works: Works,
        family: str,
        model: tuple[str | None, str | None],
        urls: Mapping[str, str | None],
        line: Mapping[str, Any],
    ) -> None:
        """Does nothing yet.

        Args:
            request: whose body has not been read.
            works: that make the answer.
            family: of the model.
            model: its name, None where there is only one, and its version, None for the champion.
            urls: name of each image -> its address, None where the body has it.
            line: further fields of the line in the log.
        """
        self._request, self._works, self._family, self._urls = request, works, family, urls
        self._name, self._version = model
        self.line: dict[str, Any] = {
            **line,
            "outcome": "failed",
            "status": 500,
            "model": self._name,
            "version": self._version,
            "images": [],
            "bytes": None,
            "width": None,
            "height": None,
            "asked_by": "url" if any(url is not None for url in urls.values()) else "body",
        }

    async def answer(self, check: Callable[[], None], make: Job[M]) -> Response:
        """Answers, and writes down how it went.

        Args:
            check: refuses a question that makes no sense, before anything is done.
            make: makes the answer, in a thread.
        """
        line, began = self.line, perf_counter()
        try:
            check()
            made = await self._made(make)
            line.update(outcome="made", status=200, width=made.width, height=made.height, images=list(made.images))
            line.update(made.told)
            return Response(made.body, headers=dict(made.headers), media_type=made.media_type)
        except ProblemError as e:
            line.update(outcome=e.error, status=e.status)
            raise
        except ClientDisconnect:
            line.update(outcome="gone", status=_GONE)
            raise
        finally:
            self._works.record({**line, "seconds": round(perf_counter() - began, 6)})

    async def _made(self, make: Job[M]) -> Made:
        self._check_urls()
        model = await self._model()
        self.line.update(model=model.name, version=model.version)
        try:
            with self._works.place() as place:
                files = await read_images(self._request, tuple(self._urls), self._works.max_bytes)
                self._check_images(files)
                return await self._works.make(place, lambda check: self._job(make, model, files, check))
        except BusyError as e:
            raise ProblemError(429, "busy", str(e), headers={"Retry-After": "1"}) from None
        except WorkshopError as e:
            error = "too_slow" if isinstance(e, TimeUpError) else "shutting_down"
            raise ProblemError(503, error, str(e), headers={"Retry-After": "5"}) from None

    def _job(self, make: Job[M], model: M, sent: Mapping[str, bytes], check: Check) -> tuple[Made, Mapping[str, bytes]]:
        """Fetches what is to be fetched, and makes the answer; runs in a thread."""
        files = dict(sent)
        for name, url in self._urls.items():
            if url is not None and self._works.policy is not None:
                files[name] = fetch_image(url, self._works.policy)
                check()
        self.line["bytes"] = sum(map(len, files.values()))
        return make(model, files, check), files

    async def _model(self) -> M:
        shelf: ModelShelf[M] | None = services(self._request).shelves.get(self._family)
        name = self._name
        if name is None:
            names = shelf.names if shelf is not None else []
            if len(names) != 1:
                found = f"there are {', '.join(names)}; name one with model=" if names else "none is served here"
                raise ProblemError(400 if names else 404, "which_model" if names else "unknown_model", found)
            name = names[0]
        return await asked_model(self._request, shelf, name, self._version)

    def _check_urls(self) -> None:
        if self.line["asked_by"] == "url" and self._works.policy is None:
            detail = "images are not fetched here; send the image itself, or set AUGURY_HEATMAP_URL_HOSTS"
            raise ProblemError(400, "url_not_allowed", detail)

    def _check_images(self, files: Mapping[str, bytes]) -> None:
        for name, url in self._urls.items():
            if name in files and url is not None:
                raise ProblemError(400, "two_images", f"the image {name!r} is sent and named by its address; give one")
            if name not in files and url is None:
                what = "the body is empty" if not files else f"there is no image {name!r}"
                raise ProblemError(400, "no_image", f"{what}; send a PNG, JPEG, WebP, GIF or BMP file")


def form(*names: str) -> dict[str, Any]:
    """Returns a body that is a form with images, for the OpenAPI document."""
    schema = {"type": "object", "properties": dict.fromkeys(names, BINARY), "additionalProperties": False}
    return {"multipart/form-data": {"schema": schema}}


def decoded(data: bytes, limits: ImageLimits, what: str) -> Pixels:
    """Returns the pixels of an image that was sent.

    Raises:
        ProblemError: 400 for no bytes, 413, 415 or 422 with the reason of ``features.images`` for what is no image.
    """
    if not data:
        raise ProblemError(400, "no_image", f"{what} is empty; send the bytes of a PNG, JPEG, WebP, GIF or BMP file")
    try:
        return decode_image(data, limits)
    except ImageError as e:
        raise ProblemError(_STATUS.get(e.reason, 422), e.reason, f"{what} cannot be used: {e.detail}") from None


def answer_headers(model: Loaded, digests: Sequence[str], decided: Sequence[Any]) -> dict[str, str]:
    """Returns the headers that say what answered; the ETag stands for all that decides the bytes.

    Args:
        model: that answered.
        digests: SHA-256 of each image's file.
        decided: what else the bytes depend on, JSON-able.
    """
    all_of_it = [version("augury"), model.name, model.version, list(digests), *decided]
    tag = hashlib.sha256(orjson.dumps(all_of_it, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return {"ETag": f'"{tag}"', "X-Model": f"{model.name} {model.version}"}
