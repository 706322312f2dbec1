"""``DELETE /v1/visitors/{id}``: forgets a visitor in the fast store, and in the archive by a tombstone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from features.recent_rules import MAX_ID_BYTES
from features.storage import StorageError
from serving import forgetting
from serving.auth import admin_key
from serving.errors import ProblemError, problems
from serving.state import services
from serving.store import StoreUnavailableError, clock_us
from serving.visitor_path import VISITOR

router = APIRouter(tags=["visitors"])

_PENDING = "pending until compaction"


class StoreRemoved(BaseModel):
    """What the fast store removed."""

    events: int = Field(description="recent events removed")
    links: int = Field(description="links of logins removed")


class ArchiveRemoved(BaseModel):
    """What becomes of the archive."""

    status: str = Field(description=f"`{_PENDING}`: the next compaction rewrites the partitions that hold the visitor")
    tombstones: int = Field(description="names of the visitor, logins resolved, that tombstones were set for")


class VisitorForgotten(BaseModel):
    """What was removed where."""

    visitor: str = Field(description="whose events they were: `user:` and the user id where a login links the id asked")
    forgotten_until_us: int = Field(description="what was received up to this time is forgotten, microseconds UTC")
    store: StoreRemoved
    archive: ArchiveRemoved


@router.delete(
    f"/v1/visitors/{VISITOR}",
    dependencies=[Depends(admin_key)],
    responses=problems(400, 401, 503),
    summary="Forget a visitor",
)
async def forget_visitor(
    visitor: Annotated[str, Path(min_length=1, description="an anonymous id, or `user:` and a user id")],
    request: Request,
) -> VisitorForgotten:
    """Removes a visitor's recent events and links, and has everything received so far taken out of the archive.

    May be repeated: after a 503, or to forget what was received since.
    """
    if len(visitor.encode(errors="replace")) > MAX_ID_BYTES:
        raise ProblemError(400, "id_too_long", f"the visitor's id is longer than {MAX_ID_BYTES} bytes; no id is")
    found = services(request)
    at_us = clock_us()
    try:
        forgotten = await forgetting.forget_visitor(found.store, found.settings.archive, visitor, at_us)
    except StorageError as e:
        raise ProblemError(
            503, "archive_unavailable", f"the archive cannot take a tombstone now ({e}); try again"
        ) from e
    except StoreUnavailableError as e:
        raise ProblemError(
            503,
            "store_unavailable",
            "the fast store cannot forget now, the archive will; try again",
            {"archive": {"status": _PENDING, "tombstones": 1}},
            {"Retry-After": "1"},
        ) from e
    return VisitorForgotten(
        visitor=forgotten.visitor,
        forgotten_until_us=at_us,
        store=StoreRemoved(events=forgotten.events, links=forgotten.links),
        archive=ArchiveRemoved(status=_PENDING, tombstones=len(forgotten.names)),
    )
