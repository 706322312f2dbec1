"""Puts a worker's services together, and takes them apart in the order that loses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serving.metrics import Metrics
from serving.settings import Settings
from serving.state import Services


@asynccontextmanager
async def open_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
    """Opens archive, store, ingest, models and logs; closes them when the block ends.

    Raises:
        AuguryError: something that the settings name cannot be opened.
    """
    raise NotImplementedError
    yield
