"""The images of a request: in its body, in a form, or behind an address that the settings allow."""

from collections.abc import Sequence

from starlette.requests import Request

from features.fetching import FetchError, FetchPolicy, fetch
from features.fetching_policy import (
    ADDRESS_NOT_ALLOWED,
    BAD_URL,
    HOST_NOT_ALLOWED,
    PORT_NOT_ALLOWED,
    SCHEME_NOT_ALLOWED,
    TOO_LARGE,
    WRONG_TYPE,
)
from serving.bodies import read_body
from serving.errors import ProblemError
from serving.multipart import read_form
from serving.settings import Settings

_FETCH_SECONDS = 10.0
_STATUS = {
    **dict.fromkeys((BAD_URL, SCHEME_NOT_ALLOWED, PORT_NOT_ALLOWED, HOST_NOT_ALLOWED, ADDRESS_NOT_ALLOWED), 400),
    TOO_LARGE: 413,
    WRONG_TYPE: 415,
}
_HOW = "send the file with Content-Type: image/png (or what it is), or a form with the part"


async def read_images(request: Request, names: Sequence[str], limit: int) -> dict[str, bytes]:
    """Returns the image files in a request's body by their names; of one image alone, the body may be the file.

    Args:
        request: whose body has not been read.
        names: of the images that may be there.
        limit: most bytes of the body.

    Raises:
        ProblemError: 415 for a body of another type, 400 for a form that is none or has other parts, and those of
            ``serving.bodies.read_body``.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    form = kind == "multipart/form-data"
    raw = kind.startswith("image/") or kind in ("", "application/octet-stream")
    body = await read_body(request.receive, dict(request.scope["headers"]), limit)
    if form and body:
        found = read_form(body, content_type)
        for name in found:
            if name not in names:
                raise ProblemError(400, "bad_form", f"part {name[:50]!r} is not known; expected {' and '.join(names)}")
        return found
    if not body:
        return {}
    if len(names) > 1:
        raise ProblemError(
            415, "unsupported_content_type", f"send a form, multipart/form-data, with the parts {' and '.join(names)}"
        )
    if not raw:
        raise ProblemError(415, "unsupported_content_type", f"Content-Type is {kind[:50]!r}; {_HOW} {names[0]!r}")
    return {names[0]: body}


def fetch_policy(settings: Settings) -> FetchPolicy | None:
    """Returns what may be fetched; None for nothing."""
    if not settings.heatmap_url_hosts:
        return None
    return FetchPolicy(
        hosts=settings.heatmap_url_hosts,
        ports=settings.heatmap_url_ports,
        max_bytes=settings.heatmap_max_bytes,
        content_types=("image/*", "application/octet-stream"),
        timeout_seconds=min(_FETCH_SECONDS, settings.heatmap_seconds),
        allow_private=settings.heatmap_url_private,
    )


def fetch_image(url: str, policy: FetchPolicy) -> bytes:
    """Returns the file behind an address; for a thread.

    Raises:
        ProblemError: 400 for an address that may not be fetched, 413, 415 or 422 for one that cannot be; the error is
            ``url_`` and the reason out of ``features.fetching.REASONS``.
    """
    try:
        return fetch(url, policy=policy).content
    except FetchError as e:
        raise ProblemError(_STATUS.get(e.reason, 422), f"url_{e.reason}", str(e)) from None
