"""What a page fetches before it sends anything: our browser library, and the settings Segment's library asks for."""

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.auth import ring
from serving.errors import ProblemError, problems

router = APIRouter(tags=["browser"])

_SCRIPT = Path(__file__).parent / "static" / "augury.js"
_SCRIPT_SECONDS = 3600
_SETTINGS_SECONDS = 300


@router.get(
    "/augury.js",
    summary="The browser library",
    response_class=Response,
    responses={
        200: {"content": {"text/javascript": {"schema": {"type": "string"}}}},
        304: {"description": "The copy that the client has is the newest"},
    },
)
def script(request: Request) -> Response:
    """Returns the browser library, compressed where the client can read that.

    A page names it once: ``<script async src="https://HOST/augury.js" data-write-key="KEY"></script>``.
    """
    plain, packed, tag = _script()
    zipped = _takes_gzip(request.headers.get("accept-encoding", ""))
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={_SCRIPT_SECONDS}, stale-while-revalidate=86400",
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(packed if zipped else plain, headers=headers, media_type="text/javascript")


@router.get(
    "/v1/projects/{write_key}/settings",
    summary="Settings of Segment's browser library",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        **problems(404),
    },
)
def settings(write_key: str, request: Request) -> Response:
    """Returns the document that @segment/analytics-next fetches from its ``cdnURL``: events go to this very host.

    Its own measurements of itself are turned off, and no further integrations are named.

    Raises:
        ProblemError: 404 for an unknown key.
    """
    if not ring(request).may_write(write_key):
        raise ProblemError(404, "unknown_write_key", "no project has this write key; expected one of AUGURY_WRITE_KEYS")
    headers = {"Cache-Control": f"private, max-age={_SETTINGS_SECONDS}", "Vary": "Host"}
    url = request.url  # a Host header that names no host is not in it
    body = orjson.dumps(_document(write_key, url.netloc, url.scheme))
    return Response(body, headers=headers, media_type="application/json")


def _document(write_key: str, host: str, scheme: str) -> dict[str, Any]:
    """Returns what the library's ``CDNSettings`` type asks for (its src/browser/settings.ts)."""
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{host}/v1",
                "protocol": scheme,
                "retryQueue": True,
                "addBundledMetadata": True,
                "unbundledIntegrations": [],
                "bundledConfigIds": [],
                "unbundledConfigIds": [],
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": f"{host}/v1", "protocol": scheme},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
        "autoInstrumentationSettings": {"sampleRate": 0},
    }


@lru_cache(maxsize=1)
def _script() -> tuple[bytes, bytes, str]:
    """Returns the library, the same compressed, and its entity tag."""
    plain = _SCRIPT.read_bytes()
    return plain, gzip.compress(plain, 9, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:32]}"'


def _takes_gzip(accepted: str) -> bool:
    """Says whether an ``Accept-Encoding`` header (RFC 9110, 12.5.3) allows gzip."""
    weights = {}
    for item in accepted.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameter)
    return weights.get("gzip", weights.get("*", False))


def _tags(given: str) -> set[str]:
    """Returns the entity tags of an ``If-None-Match`` header, weak ones as if they were strong (RFC 9110, 13.1.2)."""
    return {tag.strip().removeprefix("W/") for tag in given.split(",")}
