"""Segment's messages, one JSON object a line, as its specification describes them.

https://segment.com/docs/connections/spec/common/ gives the fields, and
https://segment.com/docs/connections/spec/common/#timestamps how a visitor's clock is corrected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import BAD_TIME, Verdicts, settle
from features.events import Adapted
from features.jsonrows import RowsError, object_column, objects, read_lines, string_column
from features.rows import LineRows
from features.times import parse_mixed

_NO_OBJECT: dict[str, Any] = {}


@dataclass(frozen=True)
class SegmentAdapter:
    """Reads lines of Segment messages.

    Attributes:
        now_us: when the data is read, to refuse times from the future; None relies on ``receivedAt``.
    """

    now_us: int | None = None
    name: str = "segment"

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns None: lines are read whole."""
        return None

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts binary or string lines (N,); see ``features.adapters.Adapter``.

        Raises:
            RowsError: the rows are a table.
        """
        if isinstance(rows, pa.Table):
            raise RowsError(
                f"{source} holds columns, but adapter 'segment' reads JSON lines; give a mapping file for it"
            )
        columns, lines, verdicts = read_lines(rows, _draw)
        return settle(_name(columns), verdicts, lines, source, self.now_us)


@dataclass(frozen=True)
class AdaptedMessages(Adapted):
    """What became of parsed messages.

    Attributes:
        refused: int64 (K,) rows that became dead letters, in order; the others became events, in order.
        reasons: why, one of ``features.checks.REASONS`` each.
    """

    refused: npt.NDArray[np.int64]
    reasons: list[str]


def adapt_messages(
    messages: list[dict[str, Any]], texts: list[bytes], source: str, now_us: int | None = None
) -> AdaptedMessages:
    """Adapts messages (N,) that are parsed already, as ``SegmentAdapter`` does with lines.

    Args:
        messages: one JSON object each.
        texts: the same as compact JSON, for dead letters and for the ids of messages that have none.
        source: where they came from.
        now_us: when they were received, to refuse times from the future; None relies on ``receivedAt``.
    """
    verdicts = Verdicts(len(messages))
    columns = _name(_draw(messages, verdicts))
    adapted = settle(columns, verdicts, LineRows(texts), source, now_us)
    reasons = adapted.rejected.column("reason").to_pylist() if verdicts.any else []
    return AdaptedMessages(adapted.events, adapted.rejected, np.flatnonzero(verdicts.codes), reasons)


def _name(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Returns the columns with the event names of ``track`` calls alone."""
    tracked = pc.equal(columns["type"], "track")
    return {**columns, "event": pc.if_else(tracked, columns["event"], pa.scalar(None, pa.string()))}


def _draw(parsed: list[dict[str, Any]], verdicts: Verdicts) -> dict[str, pa.Array]:
    def strings(key: str) -> pa.Array:
        return string_column([row.get(key) for row in parsed], verdicts)

    contexts = objects([row.get("context") for row in parsed], verdicts)
    filled = [context or _NO_OBJECT for context in contexts]
    properties = objects([row.get("properties") or row.get("traits") for row in parsed], verdicts)
    return {
        "message_id": strings("messageId"),
        "anonymous_id": strings("anonymousId"),
        "user_id": strings("userId"),
        "type": strings("type"),
        "event": strings("event"),
        "user_agent": string_column([context.get("userAgent") for context in filled], verdicts),
        "properties": object_column(properties, verdicts),
        "context": object_column(contexts, verdicts),
        "source": string_column(_inner(filled, "library", "name"), verdicts),
        **_pages(parsed, filled, properties, verdicts),
        **_times(parsed, verdicts),
    }


def _inner(contexts: list[dict[str, Any]], outer: str, key: str) -> list[Any]:
    """Returns ``context[outer][key]`` of each context, None where there is no such object."""
    found = [context.get(outer) for context in contexts]
    return [value.get(key) if value.__class__ is dict else None for value in found]


def _pages(
    parsed: list[dict[str, Any]],
    contexts: list[dict[str, Any]],
    properties: Sequence[dict[str, Any] | None],
    verdicts: Verdicts,
) -> dict[str, pa.Array]:
    """Returns url and referrer: of the page looked at, so a ``page`` call's own properties come first.

    A ``track`` call's ``properties.url`` is left alone: there it is the address of the product, not of the page.
    """
    own = [
        given if given and row.get("type") == "page" else _NO_OBJECT
        for row, given in zip(parsed, properties, strict=True)
    ]
    return {
        key: string_column(
            [given.get(key) or found for given, found in zip(own, _inner(contexts, "page", key), strict=True)], verdicts
        )
        for key in ("url", "referrer")
    }


def _times(parsed: list[dict[str, Any]], verdicts: Verdicts) -> dict[str, pa.Array]:
    """Returns timestamp_us and received_at_us.

    Where there is no ``timestamp``, it is made as Segment makes it: receivedAt - (sentAt - originalTimestamp), so that
    a wrong clock cancels out; with one of these missing, ``originalTimestamp`` or else ``receivedAt`` stands.
    """
    received_us, _ = parse_mixed([row.get("receivedAt") for row in parsed])
    time_us, bad = parse_mixed([row.get("timestamp") for row in parsed])
    verdicts.reject(bad, BAD_TIME)
    if time_us.null_count:
        original_us, bad_original = parse_mixed([row.get("originalTimestamp") for row in parsed])
        sent_us, _ = parse_mixed([row.get("sentAt") for row in parsed])
        skew_us = pc.subtract(sent_us, original_us)
        verdicts.reject(bad_original & time_us.is_null().to_numpy(False), BAD_TIME)
        time_us = pc.coalesce(time_us, pc.subtract(received_us, skew_us), original_us, received_us)
    return {"timestamp_us": time_us, "received_at_us": received_us}
