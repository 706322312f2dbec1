"""The prediction end-points: for a visitor the fast store knows, and for events sent along."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import orjson
import pyarrow as pa
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from features.cleaning import CleaningRules, judge
from features.received import CollectionRules, Drop, Refusal, RequestFacts, receive
from features.recent_events import RecentEventsError, encode_events
from features.segment import adapt_messages
from models.behavior.loaded import FAMILY, LoadedModel
from models.behavior.scoring import History, Scored
from serving.asked_model import asked_model
from serving.auth import admin_key, any_key
from serving.bodies import read_body
from serving.collection import Collector
from serving.errors import ProblemError, problems
from serving.explanations import Attributed, Explain, check_method
from serving.ingest import SOURCE
from serving.refusals import detail_of
from serving.scoring import ScorerBusyError
from serving.state import Services, services
from serving.store import StoreUnavailableError, clock_us
from serving.visitor_path import VISITOR

router = APIRouter(tags=["prediction"])

_Model = Annotated[str, Path(max_length=64, description="name of the model", examples=["purchase"])]
_Visitor = Annotated[
    str,
    Path(min_length=1, max_length=600, description="an anonymous id, or user:<user id>", examples=["ab12", "user:7"]),
]
_Version = Annotated[
    str | None,
    Query(max_length=64, description="a version by its whole name, instead of the champion; needs an admin key"),
]
_EVENTS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["events"],
                    "properties": {
                        "events": {
                            "type": "array",
                            "description": "all of one visitor, in any order, as the batch end-point takes them",
                            "items": {
                                "type": "object",
                                "required": ["type"],
                                "properties": {"type": {"type": "string"}},
                                "additionalProperties": True,
                            },
                        },
                        "sentAt": {"type": "string", "format": "date-time"},
                    },
                }
            }
        },
    }
}


class Prediction(BaseModel):
    """What a model says of a visitor."""

    prediction_id: str = Field(description="names this answer in the archive's stream of predictions")
    model: str
    version: str = Field(description="the version that answered")
    visitor: str | None = Field(description="whose events were used: user:<user id> where a login is known")
    probability: float = Field(description="of class 1; of more than two classes, the highest; an exact float32")
    probabilities: list[float] = Field(description="of every class")
    segment: str = Field(description="very low, low, medium, high or very high")
    events_used: int = Field(description="events that the prediction was made from")
    known: bool = Field(description="false: there was nothing to predict from, and this is the base rate")
    truncated: bool = Field(description="true: older events that training would have seen may be gone")
    attribution: Attributed | None = Field(
        default=None, description="which events moved the probability; only where `explain` asks for it"
    )


@dataclass(frozen=True)
class _Question:
    """A model, and whose events it is asked about."""

    model: LoadedModel
    visitor: str | None
    history: History
    asked_by: str
    explain: str | None


@router.get(
    f"/v1/predict/{{model}}/{VISITOR}",
    operation_id="predict",
    response_model=Prediction,
    responses=problems(400, 401, 404, 429, 503),
    dependencies=[Depends(any_key)],
    openapi_extra={"security": [{"writeKey": []}, {"adminKey": []}]},
)
async def predict(
    request: Request, model: _Model, visitor: _Visitor, version: _Version = None, explain: Explain = None
) -> Response:
    """Predict for a visitor, from the recent events in the fast store."""
    _check_explain(request, explain)
    asked = services(request)
    loaded = await asked_model(request, asked.shelves.get(FAMILY), model, version)
    try:
        recent = await asked.store.recent(visitor)
    except StoreUnavailableError:
        raise ProblemError(
            503, "store_unavailable", "the fast store cannot be read now; ask again later", headers={"Retry-After": "5"}
        ) from None
    return await _answer(
        asked, _Question(loaded, recent.visitor, History(recent.rows, recent.full), "visitor", explain)
    )


@router.post(
    "/v1/predict/{model}",
    operation_id="predictEvents",
    response_model=Prediction,
    responses=problems(400, 401, 404, 408, 413, 415, 429, 503),
    dependencies=[Depends(any_key)],
    openapi_extra={**_EVENTS, "security": [{"writeKey": []}, {"adminKey": []}]},
)
async def predict_events(
    request: Request, model: _Model, version: _Version = None, explain: Explain = None
) -> Response:
    """Predict from the events in the body; nothing is collected."""
    _check_explain(request, explain)
    asked = services(request)
    loaded = await asked_model(request, asked.shelves.get(FAMILY), model, version)
    body = await read_body(request.receive, dict(request.scope["headers"]), asked.settings.max_batch_bytes)
    collector: Collector = request.app.state.collector
    messages, texts = read_messages(body, collector.rules, collector.max_event_bytes, collector.max_batch_events)
    events = kept_events(messages, texts, asked.cleaning)
    ids = events.column("anonymous_id")
    visitor = ids[len(ids) - 1].as_py() if len(ids) else None
    return await _answer(asked, _Question(loaded, visitor, History(encode_events(events)), "events", explain))


def read_messages(
    body: bytes, rules: CollectionRules, max_event_bytes: int, max_events: int
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Returns the events of a body as collection would have received them, and as compact JSON.

    Args:
        body: JSON with a list of Segment messages under ``events``.
        rules: what collection keeps of a message.
        max_event_bytes: limit on one event.
        max_events: limit on their number.

    Raises:
        ProblemError: it holds none, or one that is no event: an answer that leaves some out would be another's.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise ProblemError(400, "not_json", f"the body is not JSON: {e.msg} at byte {e.pos}") from None
    events = found.get("events") if isinstance(found, dict) else None
    if not isinstance(events, list):
        raise ProblemError(400, "no_events", "the body has no list of events; expected one under 'events'")
    if len(events) > max_events:
        raise ProblemError(413, "too_many_events", f"the body has {len(events)} events; send at most {max_events}")
    received_at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    facts = RequestFacts(None, None, False)
    messages: list[dict[str, Any]] = []
    texts: list[bytes] = []
    for index, event in enumerate(events):
        made = receive(
            event,
            kind=None,
            received_at=received_at,
            sent_at=found.get("sentAt"),
            facts=facts,
            rules=rules,
        )
        if isinstance(made, Drop):
            continue  # collection would not have kept it either
        if isinstance(made, Refusal):
            raise _bad_event(index, made.reason, made.detail)
        try:
            text = orjson.dumps(made)
        except TypeError:
            raise _bad_event(index, "too_deep", detail_of("too_deep")) from None
        if len(text) > max_event_bytes:
            detail = f"the event has {len(text)} bytes; expected at most {max_event_bytes}"
            raise _bad_event(index, "too_large", detail)
        messages.append(made)
        texts.append(text)
    return messages, texts


def kept_events(messages: list[dict[str, Any]], texts: list[bytes], cleaning: CleaningRules) -> pa.RecordBatch:
    """Returns the events that collection would have kept, in ``EVENT_SCHEMA``.

    Args:
        messages: received messages (N,).
        texts: the same as compact JSON.
        cleaning: which events no visitor made.

    Raises:
        ProblemError: a message is no event.
    """
    adapted = adapt_messages(messages, texts, SOURCE, clock_us())
    if adapted.reasons:
        reason = adapted.reasons[0]
        raise _bad_event(int(adapted.refused[0]), reason, detail_of(reason))
    events = adapted.events
    kept = judge(events, cleaning) == 0
    return events if kept.all() else events.filter(pa.array(kept))


def _bad_event(index: int, reason: str, detail: str) -> ProblemError:
    return ProblemError(
        400,
        reason,
        f"event {index}: {detail}",
        {"rejected": [{"index": index, "reason": reason, "detail": detail}]},
    )


def _check_explain(request: Request, explain: str | None) -> None:
    """Refuses a way to explain that there is not, and whoever may not ask."""
    if explain is not None:
        admin_key(request)  # it tells a visitor's events, and costs as much as a prediction for each
        check_method(explain)


async def _answer(asked: Services, question: _Question) -> Response:
    if question.explain is None:
        return _said(asked, question, await _score(asked, question), None)
    with asked.explainer.place() as place:
        scored = await _score(asked, question)
        attribution = await asked.explainer.explain(place, question.model, question.history, scored)
    return _said(asked, question, scored, attribution)


async def _score(asked: Services, question: _Question) -> Scored:
    try:
        scored: Scored = await asked.scorer.score(question.model, question.history)
        return scored
    except ScorerBusyError as e:
        raise ProblemError(429, "busy", str(e), headers={"Retry-After": "1"}) from None
    except RecentEventsError as e:
        raise ProblemError(503, "store_unreadable", str(e)) from None


def _said(asked: Services, question: _Question, scored: Scored, attribution: dict[str, Any] | None) -> Response:
    """Logs a prediction and returns the answer."""
    probability, segment = question.model.headline(scored.probabilities)
    prediction_id = uuid4().hex
    said = {
        "model": question.model.name,
        "version": question.model.version,
        "visitor": question.visitor,
        # A float64 of the same value: whoever reads it and rounds to float32 has the very bits.
        "probability": probability,
        "probabilities": scored.probabilities.astype(float).tolist(),
        "segment": segment,
        "events_used": scored.events_used,
        "known": scored.known,
        "truncated": scored.truncated,
    }
    if asked.prediction_log is not None:
        line = {**said, "events_hash": scored.events_hash, "asked_by": question.asked_by}
        if attribution is not None:
            line["explained"] = attribution["method"]
        asked.prediction_log.record(prediction_id, line)
    if attribution is not None:
        said["attribution"] = attribution
    return Response(orjson.dumps({"prediction_id": prediction_id, **said}), media_type="application/json")
