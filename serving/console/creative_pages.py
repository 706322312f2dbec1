"""Pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.console.gatekeeping import predicts
from serving.console.pages import HOME, ConsoleRoute, page
from serving.console.sessions import Session

router = APIRouter(route_class=ConsoleRoute)


@router.get(f"{HOME}/creative")
async def show(request: Request, _: Annotated[Session, Depends(predicts)]) -> Response:
    """Shows the page."""
    return page(request, "models", registry=None, models=[], served={})
