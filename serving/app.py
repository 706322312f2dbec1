"""The app: routes, middleware and the life of what they use."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from serving import collection, collector_script, health, model_admin, predictions, visitors
from serving.assembly import open_services
from serving.attention import routes as attention
from serving.auth import KeyRing
from serving.collection import make_collector
from serving.collection_schema import SECURITY_SCHEMES
from serving.console import routes as console
from serving.console.state import open_console
from serving.creative import routes as creative
from serving.errors import install_error_handlers
from serving.metrics import Metrics
from serving.middleware import Watch
from serving.settings import Settings
from serving.state import Services

Opener = Callable[[Settings, Metrics], AbstractAsyncContextManager[Services]]
"""Opens what an app uses: ``open_services``, or a test's own."""

_ROUTERS = (
    collection.router,
    predictions.router,
    attention.router,
    creative.router,
    model_admin.router,
    visitors.router,
    collector_script.router,
    health.router,
)


def create_app(settings: Settings, opener: Opener = open_services) -> FastAPI:
    """Returns the service as an ASGI app; its services are opened when it starts and are in ``app.state.services``."""
    metrics = Metrics()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with opener(settings, metrics) as services:
            app.state.services = services
            app.state.collector = make_collector(services)
            if not settings.console:
                yield
                return
            async with open_console(services) as app.state.console:
                yield

    app = FastAPIOffline(
        redoc_url=None,
        title="Augury",
        summary="Collects events, predicts what visitors will do, where people will look and what converts.",
        version=version("augury"),
        lifespan=life,
        middleware=[
            Middleware(CorrelationIdMiddleware),
            Middleware(Watch, metrics=metrics, access_log=settings.access_log),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=[
                    "ETag",
                    "Retry-After",
                    "X-Attention-Aligned",
                    "X-Attention-Max",
                    "X-Model",
                    "X-Request-ID",
                ],
                allow_private_network=True,
                max_age=86_400,
            ),
        ],
    )
    app.state.keys = KeyRing(settings)
    install_error_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    if settings.console:
        app.include_router(console.router)
    _describe_keys(app)
    return app


def _describe_keys(app: FastAPI) -> None:
    """Adds to the OpenAPI document how keys are sent; the end-points check them themselves."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        return document

    app.openapi = described  # type: ignore[method-assign]
