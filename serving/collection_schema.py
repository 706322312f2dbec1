"""The collection end-points in the OpenAPI document: what a body may hold, and what is answered.

These models are never used to read a request; they only describe it.
"""

from typing import Any

from pydantic import BaseModel, Field

_TIME = {"type": "string", "format": "date-time"}
_ID = {"type": "string", "maxLength": 64}
_OBJECT = {"type": "object", "additionalProperties": True}

_COMMON: dict[str, Any] = {
    "messageId": {**_ID, "description": "Tells copies of an event apart; made here if absent."},
    "anonymousId": {**_ID, "minLength": 1, "description": "The visitor before logging in; must not begin with user:"},
    "userId": {**_ID, "minLength": 1, "description": "The visitor after logging in."},
    "timestamp": {**_TIME, "description": "When it happened, by the client's clock."},
    "sentAt": {**_TIME, "description": "When it was sent, by the client's clock; corrects that clock."},
    "context": {**_OBJECT, "description": "Page, user agent, library, campaign, consent, ..."},
    "integrations": _OBJECT,
    "writeKey": {"type": "string", "description": "The write key, where no Authorization header can be sent."},
}

_TEXT = {"type": "string"}
_ANY: dict[str, Any] = {"event": _TEXT, "properties": _OBJECT, "traits": _OBJECT}
"""What the kinds of events have between them: where one has another's, it must be of that type, too."""

_OWN: dict[str, dict[str, Any]] = {
    "track": {"event": {"type": "string", "minLength": 1}, "properties": _OBJECT},
    "page": {"name": {"type": "string"}, "properties": _OBJECT},
    "screen": {"name": {"type": "string"}, "properties": _OBJECT},
    "identify": {"traits": _OBJECT},
    "group": {"groupId": _ID, "traits": _OBJECT},
    "alias": {"previousId": {**_ID, "minLength": 1}},
}


def _event(kind: str) -> dict[str, Any]:
    required = {"required": ["event"]} if kind == "track" else {}
    return {
        "type": "object",
        "properties": {**_ANY, **_OWN[kind], **_COMMON},
        "anyOf": [{"required": ["anonymousId"]}, {"required": ["userId"]}],
        **required,
    }


def _batched(kind: str) -> dict[str, Any]:
    alone = _event(kind)
    properties = {"type": {"type": "string", "enum": [kind]}, **alone["properties"]}
    return {**alone, "properties": properties, "required": ["type", *alone.get("required", ())]}


EVENTS = {kind: _event(kind) for kind in _OWN}
"""Schema of the body of each single-event end-point."""

BATCH: dict[str, Any] = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "minItems": 1,
            "items": {"oneOf": [_batched(kind) for kind in _OWN]},
        },
        "sentAt": _COMMON["sentAt"],
        "context": {**_OBJECT, "description": "Merged into the context of every event, which wins."},
        "integrations": _OBJECT,
        "writeKey": _COMMON["writeKey"],
    },
}
"""Schema of the body of the batch end-point."""


class RejectedEvent(BaseModel):
    """An event of the batch that was refused."""

    index: int = Field(description="its place in the batch")
    reason: str
    detail: str


class Collected(BaseModel):
    """What became of the events of a request."""

    success: bool
    accepted: int = Field(description="events now in the archive and in the fast store")
    duplicates: int = Field(description="events that came before")
    dropped: dict[str, int] = Field(description="events not kept on purpose, by reason: bot, opted_out, ...")
    rejected: list[RejectedEvent] = Field(description="events that are none")


ANSWER: dict[str, Any] = {"model": Collected, "description": "What became of the events"}


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns what ``openapi_extra`` of a collection end-point says about its body and its keys."""
    content = {"application/json": {"schema": schema}}
    return {
        "requestBody": {"required": True, "content": content},
        "security": [{"writeKey": []}],
    }


SECURITY_SCHEMES: dict[str, Any] = {
    "writeKey": {"type": "http", "scheme": "basic", "description": "A write key as user name, no password."},
    "adminKey": {"type": "http", "scheme": "bearer", "description": "An admin key."},
}
"""The ``securitySchemes`` of the document."""
