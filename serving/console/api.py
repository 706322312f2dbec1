"""The API as the console asks it: in this process, with a key of the service, as any client would."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from fastapi import Request

from serving.errors import ProblemError
from serving.state import services

_SECONDS = 60.0


async def ask_as_administrator(request: Request, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Returns the JSON answer of a GET end-point.

    Args:
        request: of somebody who is signed in with an admin key.
        path: of the end-point, quoted.
        query: its options.

    Raises:
        ProblemError: whatever the end-point answered with.
    """
    key = services(request).settings.admin_keys[0].get_secret_value()
    transport = httpx.ASGITransport(request.app, raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=str(request.base_url), timeout=_SECONDS) as client:
            return await client.get(path, params=dict(query), headers={"Authorization": f"Bearer {key}"})

    answer = await asyncio.create_task(ask())  # in a task of its own: a request's id is kept by task
    found: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        raise ProblemError(answer.status_code, found["error"], found["detail"])
    return found
