"""The model that a request asks: the champion, or a version by its name for an administrator."""

from typing import TypeVar

from fastapi import Request

from serving.auth import admin_key
from serving.errors import ProblemError
from serving.models import Loaded, ModelShelf, ModelUnavailableError, UnknownModelError

M = TypeVar("M", bound=Loaded)


async def asked_model(request: Request, shelf: ModelShelf[M] | None, name: str, version: str | None) -> M:
    """Returns the model to answer with.

    Args:
        request: whose key says whether it may have a version loaded.
        shelf: of the family; None where it is not served.
        name: of the model.
        version: a version by its whole name; None: the champion.

    Raises:
        ProblemError: 404 for a model or version that is not there, 401 for a version that would have to be loaded,
            503 for one that cannot be.
    """
    if shelf is None:
        raise ProblemError(404, "unknown_model", "this service has no models; set AUGURY_REGISTRY to a model registry")
    champion = shelf.champion(name)
    if version is not None and (champion is None or champion.version != version):
        admin_key(request)  # whoever may have versions loaded could keep the service busy with it
    try:
        return await shelf.get(name, version)
    except UnknownModelError as e:
        raise ProblemError(404, "unknown_model" if version is None else "unknown_version", str(e)) from None
    except ModelUnavailableError as e:
        detail = f"model {name!r} cannot answer now; GET /v1/models/{name}?family={shelf.family} says why"
        if version is not None:  # it is an administrator who asks, and nobody else can say why
            detail = f"version {version!r} of model {name!r} cannot answer: {e}"
        raise ProblemError(503, "model_unavailable", detail, headers={"Retry-After": "10"}) from None
