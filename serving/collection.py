"""The collection end-points, compatible with Segment's HTTP tracking API.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/. They read the request themselves: a
parsed and validated model of each event would cost more than all the rest.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from features.cleaning import CleaningRules
from features.received import CollectionRules, Drop, Refusal, RequestFacts, receive
from features.recent_rules import MAX_ID_BYTES
from serving.addresses import Proxies
from serving.auth import header_key, ring, unauthorised
from serving.bodies import read_body
from serving.collection_schema import ANSWER, BATCH, EVENTS, describe
from serving.errors import ProblemError, problems
from serving.ingest import BusyError, Ingest, Outcome
from serving.metrics import Metrics
from serving.refusals import Rejected, detail_of
from serving.settings import Settings
from serving.spool import ArchiveError
from serving.state import Services

_ONE = orjson.dumps({"success": True, "accepted": 1, "duplicates": 0, "dropped": {}, "rejected": []})


class _DirectRoute(APIRoute):
    """A documented route whose function gets the request itself, without the machinery of dependencies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        function: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return function


router = APIRouter(tags=["collection"], route_class=_DirectRoute)


class Collector(NamedTuple):
    """What the end-points need, made once for each app: ``app.state.collector``."""

    ingest: Ingest
    metrics: Metrics
    rules: CollectionRules
    proxies: Proxies
    max_event_bytes: int
    max_batch_bytes: int
    max_batch_events: int


def collection_rules(settings: Settings, cleaning: CleaningRules) -> CollectionRules:
    """Returns what is kept of a message.

    Raises:
        CollectionError: rules that cannot be followed.
    """
    return CollectionRules(
        ip=settings.ip,
        drop_fields=settings.drop_fields,
        hash_fields=settings.hash_fields,
        hash_key=settings.hash_key.get_secret_value(),
        honour_dnt=settings.honour_dnt,
        consent_categories=settings.consent_categories,
        bot_ips=cleaning.bot_ips,
    )


def make_collector(services: Services) -> Collector:
    """Returns what the end-points need."""
    settings = services.settings
    return Collector(
        services.ingest,
        services.metrics,
        collection_rules(settings, services.cleaning),
        Proxies(settings.trusted_proxies),
        settings.max_event_bytes,
        settings.max_batch_bytes,
        settings.max_batch_events,
    )


async def _collect(request: Request, kind: str | None) -> Response:
    """Takes the events of a request: one of a kind, or a batch if ``kind`` is None."""
    collector: Collector = request.app.state.collector
    try:
        body, headers = await _body(request, collector)
        events = [body] if kind is not None else _batch(body, collector)
        return await _take(collector, events, kind, body, _facts(request, headers, body, collector, kind))
    except ProblemError as e:
        collector.metrics.refused.labels(e.error).inc()
        raise


async def _body(request: Request, collector: Collector) -> tuple[dict[str, Any], dict[bytes, bytes]]:
    """Returns the JSON object that was sent by somebody with a key, and the headers."""
    headers = dict(request.scope["headers"])
    keys = ring(request)
    given = header_key(request) if b"authorization" in headers else request.query_params.get("writeKey")
    if given is not None and not keys.may_write(given):
        raise unauthorised("a write key", given)
    text = await read_body(request.receive, headers, collector.max_batch_bytes)
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as e:
        raise ProblemError(400, "not_json", f"the body is not JSON: {e.msg} at byte {e.pos}") from None
    if body.__class__ is not dict:
        raise ProblemError(400, "wrong_type", "the body is not a JSON object")
    if given is None:
        given = body.get("writeKey")
        if not isinstance(given, str) or not keys.may_write(given):
            raise unauthorised("a write key", given if isinstance(given, str) else None)
    return body, headers


def _batch(body: dict[str, Any], collector: Collector) -> list[Any]:
    events = body.get("batch")
    if not isinstance(events, list):
        raise ProblemError(400, "no_batch", "the body has no list of events; expected one under 'batch'")
    if not events:
        raise ProblemError(400, "empty_batch", "the batch is empty; send at least one event")
    if len(events) > collector.max_batch_events:
        raise ProblemError(
            413, "too_many_events", f"the batch has {len(events)} events; send at most {collector.max_batch_events}"
        )
    for name in ("context", "integrations"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            raise ProblemError(400, "wrong_type", f"{name} of the batch is not a JSON object")
    return events


def _facts(
    request: Request, headers: dict[bytes, bytes], body: dict[str, Any], collector: Collector, kind: str | None
) -> RequestFacts:
    quiet = headers.get(b"dnt") == b"1" or headers.get(b"sec-gpc") == b"1"
    address = agent = None
    if b"origin" in headers or b"sec-fetch-site" in headers:  # a page sends it, so the visitor's browser is at the door
        address = collector.proxies.visitor_address(request.scope)
        agent = headers.get(b"user-agent", b"").decode("latin-1") or None
    if kind is not None:
        return RequestFacts(address, agent, quiet)
    return RequestFacts(address, agent, quiet, body.get("context"), body.get("integrations"))


async def _take(
    collector: Collector, events: list[Any], kind: str | None, body: dict[str, Any], facts: RequestFacts
) -> Response:
    received_at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    sent_at = body.get("sentAt") if kind is None else None
    messages: list[dict[str, Any]] = []
    texts: list[bytes] = []
    rows: list[int] = []
    rejected: list[Rejected] = []
    letters: list[tuple[str, str]] = []
    early: list[Outcome] = []
    for row, event in enumerate(events):
        made = receive(event, kind=kind, received_at=received_at, sent_at=sent_at, facts=facts, rules=collector.rules)
        if made.__class__ is dict:
            text = _dump(made)
            if text is None:
                made = Refusal("too_deep", detail_of("too_deep"))
            elif len(text) > collector.max_event_bytes:
                detail = f"the event has {len(text)} bytes; expected at most {collector.max_event_bytes}"
                made = Refusal("too_large", detail, made)
            else:
                messages.append(made)
                texts.append(text)
                rows.append(row)
                continue
        if isinstance(made, Drop):
            early.append(Outcome("dropped", made.reason))
        elif isinstance(made, Refusal):
            early.append(Outcome("rejected", made.reason))
            rejected.append(Rejected(row, made.reason, made.detail))
            letters.append((made.reason, _letter(made.message)))
    for outcome in early:
        collector.metrics.events.labels(outcome.kind, outcome.reason).inc()
    outcomes: Sequence[Outcome] = ()
    if messages or letters:
        outcomes = await _ingest(collector.ingest, messages, texts, letters)
    if len(outcomes) == 1 and outcomes[0].kind == "accepted" and len(events) == 1:
        return Response(_ONE, media_type="application/json")
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome.kind == "rejected":
            rejected.append(Rejected(row, outcome.reason, detail_of(outcome.reason)))
    return _answer([*outcomes, *early], sorted(rejected), kind)


async def _ingest(
    ingest: Ingest, messages: list[dict[str, Any]], texts: list[bytes], letters: list[tuple[str, str]]
) -> list[Outcome]:
    try:
        return await ingest.accept(messages, texts, letters)
    except BusyError as e:
        raise ProblemError(429, "busy", str(e), headers={"Retry-After": "1"}) from None
    except ArchiveError:
        detail = "events cannot be stored now; send them again later"
        raise ProblemError(503, "archive_unavailable", detail, headers={"Retry-After": "5"}) from None


def _answer(outcomes: list[Outcome], rejected: list[Rejected], kind: str | None) -> Response:
    kinds = Counter(outcome.kind for outcome in outcomes)
    answer = {
        "success": kinds["rejected"] < len(outcomes),
        "accepted": kinds["accepted"],
        "duplicates": kinds["duplicate"],
        "dropped": Counter(outcome.reason for outcome in outcomes if outcome.kind == "dropped"),
        "rejected": rejected,
    }
    if answer["success"]:
        return Response(orjson.dumps(answer), media_type="application/json")
    first = rejected[0]
    status = 413 if kind is not None and first.reason == "too_large" else 400
    detail = (
        first.detail if len(rejected) == 1 else f"all {len(rejected)} events are refused; the first: {first.detail}"
    )
    raise ProblemError(status, first.reason, detail, answer)


def _dump(value: Any) -> bytes | None:
    try:
        return orjson.dumps(value)
    except TypeError:  # nested more deeply than orjson writes
        return None


def _letter(message: Any) -> str:
    """Returns a refused message as JSON that begins with whose it is: the end may be cut off."""
    if message.__class__ is dict:
        ids = {name: message.get(name) for name in ("anonymousId", "userId")}
        first = {name: text for name, text in ids.items() if isinstance(text, str) and len(text) <= MAX_ID_BYTES}
        message = {**first, **message}
    return (_dump(message) or b"").decode()


def _end_point(kind: str | None) -> Callable[[Request], Awaitable[Response]]:
    async def collect(request: Request) -> Response:
        return await _collect(request, kind)

    return collect


for _kind, _aliases in (
    ("track", "t"),
    ("page", "p"),
    ("screen", "s"),
    ("identify", "i"),
    ("group", "g"),
    ("alias", "a"),
    ("batch", "b"),
):
    _function = _end_point(None if _kind == "batch" else _kind)
    router.add_api_route(
        f"/v1/{_kind}",
        _function,
        methods=["POST"],
        summary="Take a batch of events"
        if _kind == "batch"
        else f"Take {'an' if _kind[0] in 'ai' else 'a'} {_kind} event",
        operation_id=_kind,
        responses={200: ANSWER, **problems(400, 401, 408, 413, 415, 429, 503)},
        response_class=Response,
        openapi_extra=describe(BATCH if _kind == "batch" else EVENTS[_kind]),
    )
    router.add_api_route(f"/v1/{_aliases}", _function, methods=["POST"], include_in_schema=False)
router.add_api_route("/v1/import", _end_point(None), methods=["POST"], include_in_schema=False)


async def _measurements(_: Request) -> Response:
    """Takes what Segment's browser library measures of itself, and drops it."""
    return Response(orjson.dumps({"success": True}), media_type="application/json")


router.add_api_route("/v1/m", _measurements, methods=["POST"], include_in_schema=False)
