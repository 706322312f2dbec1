"""Whether the service is alive and ready, and what it counts."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from serving.errors import ProblemError, problems
from serving.state import services

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """The answer of the health end-points."""

    status: str = Field(examples=["ok"])


@router.get("/healthz")
async def alive() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@router.get("/readyz", responses=problems(503))
async def ready(request: Request) -> Health:
    """Say whether events can be taken and predictions made: archive writable, fast store reachable, models loaded."""
    found = services(request)
    missing = []
    try:
        await found.archive.check()
    except OSError:
        missing.append("archive")
    if not found.store.available:
        missing.append("store")
    if not all(shelf.ready for shelf in found.shelves.values()):
        missing.append("models")
    if missing:
        raise ProblemError(503, "not_ready", f"not ready: {', '.join(missing)}", {"missing": missing})
    return Health(status="ok")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Return every worker's counts, in Prometheus' text format."""
    counted = services(request).metrics
    return Response(counted.text(), media_type=counted.content_type)
