"""How uvicorn is told to serve the app, wherever it runs: within the protocol's limits, and without logs of its own."""

from typing import Any

import uvicorn
from fastapi import FastAPI

from serving.protocol import LimitedProtocol


def server_config(app: FastAPI, **more: Any) -> uvicorn.Config:
    """Returns uvicorn's configuration; ``more`` is what differs from place to place."""
    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **more,
    )
