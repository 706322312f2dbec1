"""The recommendation end-point: which version of a product photo to use."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from features.images import ImageLimits
from serving.auth import any_key
from serving.creative.loaded import FAMILY, CreativeVersion
from serving.creative.numbers import RecommendationNumbers
from serving.creative.query import RecommendQuery
from serving.creative.recommendations import Recommendations
from serving.errors import ProblemError
from serving.image_questions import (
    ERRORS,
    IMAGE_BODIES,
    SECURITY,
    ImageQuestion,
    Made,
    answer_headers,
    decoded,
    form,
)
from serving.state import services
from serving.workshop import Check

router = APIRouter(tags=["creative"], dependencies=[Depends(any_key)])

_HEADERS = {name: {"schema": {"type": "string"}} for name in ("ETag", "X-Model")}
_CAMPAIGN = ("target", "campaign_type", "industry", "shoe_type", "brand", "gender")
_ASKED = (*_CAMPAIGN, "product", "alternates")


@router.post(
    "/v1/creative/recommend",
    operation_id="recommend",
    response_class=Response,
    responses={
        200: {"model": RecommendationNumbers, "description": "what was found", "headers": _HEADERS},
        **ERRORS,
    },
    openapi_extra={"security": SECURITY, "requestBody": {"content": {**IMAGE_BODIES, **form("image")}}},
)
async def recommend(request: Request, asked: Annotated[RecommendQuery, Query()]) -> Response:
    """Recommend a version of a product photo: the body's, or one behind an address."""
    found: Recommendations | None = services(request).recommendations
    if found is None:
        raise ProblemError(
            404, "unknown_model", "this service has no creative models; set AUGURY_REGISTRY to a registry with one"
        )
    limits = found.limits
    line = {name: getattr(asked, name) for name in _CAMPAIGN}
    question: ImageQuestion[CreativeVersion] = ImageQuestion(
        request, found, FAMILY, (asked.model, asked.version), {"image": asked.url}, line
    )
    return await question.answer(
        lambda: None, lambda model, files, check: make_recommendation(model, files, asked, limits, check)
    )


def make_recommendation(
    model: CreativeVersion, files: Mapping[str, bytes], asked: RecommendQuery, limits: ImageLimits, check: Check
) -> Made:
    """Answers; pure, for a thread: the same image, version and options give the same bytes.

    Args:
        model: that answers.
        files: the photo's file, "image".
        asked: what about it.
        limits: on the image.
        check: called between the steps.

    Raises:
        ProblemError: the image cannot be read, or the target is not predicted.
    """
    from models.creative.recommendation import Asked, RecommendationError
    from models.creative.shown import as_json, variant_images

    image = decoded(files["image"], limits, "the image")
    digest = hashlib.sha256(files["image"]).hexdigest()
    check()
    try:
        wanted = Asked(**{name: getattr(asked, name) for name in _ASKED})
        found = model.recommender.recommend(image, wanted, digest, check)
    except RecommendationError as e:
        error = "unknown_target" if asked.target not in model.recommender.model.targets else "bad_question"
        raise ProblemError(400, error, str(e)) from None
    check()
    pictures = variant_images(image, model.recommender.model.spec, asked.size) if asked.images else None
    height, width = image.shape[:2]
    about: dict[str, Any] = {
        "model": model.name,
        "version": model.version,
        "image": {"width": width, "height": height, "sha256": digest},
    }
    body = orjson.dumps({**about, **as_json(found, pictures)})
    options = asked.model_dump(exclude={"model", "version", "write_key", "url"})
    told = {
        "probability": found.given.probability,
        "best_variant": found.best_variant.name,
        "reliable": found.best_variant.reliable,
    }
    headers = answer_headers(model, (digest,), [options])
    return Made(body, "application/json", headers, width, height, (digest,), told)
