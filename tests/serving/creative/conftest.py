"""A service on a loopback port with a small creative model, asked over real HTTP; no test here imports torch."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.loopback import Loopback, loopback_service
from tests.served_creative import creative_artifact, creative_registry

__all__ = ["creative_artifact", "creative_registry"]  # fixtures

RECOMMEND = "/v1/creative/recommend"


class Running:
    """A service and a client with its admin key."""

    def __init__(self, service: Loopback, client: httpx.Client) -> None:
        self.service, self.client = service, client

    def recommend(self, image: bytes, content_type: str = "image/png", **query: Any) -> httpx.Response:
        headers = {"Content-Type": content_type} if content_type else {}
        query = {"target": "click_through", **query}
        return self.client.post(RECOMMEND, content=image, params=query, headers=headers)

    def lines(self) -> list[bytes]:
        """Returns what is logged by now."""
        paths = sorted((self.service.settings.spool / "recommendations").glob("*.jsonl"))
        return [line for path in paths for line in path.read_bytes().splitlines()]


@pytest.fixture
def start(creative_registry: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service with settings of its own; of the small model unless they name another registry."""
    with ExitStack() as stack:
        calm = {"recommend_seconds": 600.0}  # a machine that is busy with other things fails no test

        def starts(**settings: Any) -> Running:
            service = stack.enter_context(loopback_service(**{**calm, "registry": str(creative_registry), **settings}))
            return Running(service, stack.enter_context(_client(service)))

        yield starts


@pytest.fixture(scope="module")
def running(creative_registry: Path) -> Iterator[Running]:
    """One service for the tests of a module that change nothing."""
    with (
        loopback_service(
            registry=str(creative_registry), heatmap_max_pixels=1_000_000, recommend_seconds=600.0
        ) as service,
        _client(service) as client,
    ):
        yield Running(service, client)


def _client(service: Loopback) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.admin_key}"}
    return httpx.Client(base_url=f"http://{service.host}:{service.port}", headers=headers, timeout=None)
