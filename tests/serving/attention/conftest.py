"""A service on a loopback port with the tiny attention model, asked over real HTTP; no test here imports torch."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.loopback import Loopback, loopback_service
from tests.served_attention import attention_registry

__all__ = ["attention_registry"]  # a fixture

HEATMAP, COMPARE = "/v1/attention/heatmap", "/v1/attention/compare"


class Running:
    """A service and a client with its admin key."""

    def __init__(self, service: Loopback, client: httpx.Client) -> None:
        self.service, self.client = service, client

    @property
    def url(self) -> str:
        return f"http://{self.service.host}:{self.service.port}"

    def heatmap(self, image: bytes, content_type: str = "image/png", **query: Any) -> httpx.Response:
        headers = {"Content-Type": content_type} if content_type else {}
        return self.client.post(HEATMAP, content=image, params=query, headers=headers)

    def compare(self, before: bytes, after: bytes, **query: Any) -> httpx.Response:
        return self.client.post(COMPARE, files={"before": before, "after": after}, params=query)

    def sample(self, name: str) -> float:
        """Returns a metric by its name and labels, as the service's page shows it; 0 where it is not there."""
        lines = (line.rpartition(" ") for line in self.client.get("/metrics").text.splitlines())
        return next((float(value) for shown, _, value in lines if shown == name), 0.0)

    def lines(self, stream: str = "heatmaps") -> list[bytes]:
        """Returns what is logged by now."""
        paths = sorted((self.service.settings.spool / stream).glob("*.jsonl"))
        return [line for path in paths for line in path.read_bytes().splitlines()]


@pytest.fixture
def start(attention_registry: Path) -> Iterator[Callable[..., Running]]:
    """Starts a service with settings of its own; of the tiny model unless they name another registry."""
    with ExitStack() as stack:
        calm = {"heatmap_seconds": 600.0}  # a machine that is busy with other things fails no test

        def starts(**settings: Any) -> Running:
            service = stack.enter_context(loopback_service(**{**calm, "registry": str(attention_registry), **settings}))
            headers = {"Authorization": f"Bearer {service.admin_key}"}
            address = f"http://{service.host}:{service.port}"
            return Running(service, stack.enter_context(httpx.Client(base_url=address, headers=headers, timeout=None)))

        yield starts


@pytest.fixture(scope="module")
def running(attention_registry: Path) -> Iterator[Running]:
    """One service for the tests of a module that change nothing."""
    with loopback_service(
        registry=str(attention_registry), heatmap_max_pixels=1_000_000, heatmap_seconds=600.0
    ) as service:
        headers = {"Authorization": f"Bearer {service.admin_key}"}
        with httpx.Client(base_url=f"http://{service.host}:{service.port}", headers=headers, timeout=None) as client:
            yield Running(service, client)
