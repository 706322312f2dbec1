"""Received messages: which become events, and what becomes of the others."""

import json
from typing import Any

import pytest

from features.cleaning import CleaningRules
from features.recent_events import decode_events
from tests.transforms.streams import NOON_US, SECOND_US, at, clock, message, track
from transforms.read_received import REJECTED, Line, _Read, adapt_lines

SOURCE = "projects/p/subscriptions/s"
BOT = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}


def line(content: Any, second: float = 0) -> Line:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Line(text, NOON_US + round(second * SECOND_US))


def outcome(*lines: Line) -> tuple[list[str], list[tuple[str, str]], dict[str, int]]:
    received = adapt_lines(list(lines), SOURCE, CleaningRules())
    letters = [(row["reason"], row["row"][:24]) for row in received.rejected.to_pylist()]
    assert {row["source"] for row in received.rejected.to_pylist()} <= {SOURCE}
    return received.events.column("message_id").to_pylist(), sorted(letters), received.dropped


def test_every_line_is_in_exactly_one_place() -> None:
    lines = [
        line(track("ann", "m1", 0)),
        line(b"{no json"),
        line(b"[1]"),
        line(b"\xff{}"),
        line({**track("ann", "m2", 0), "type": "tracked"}),
        line({"type": "page", "messageId": "m3", "timestamp": clock(0)}),
        line(track("ann", "m4", 0, context=BOT)),
        line(track("user:bob", "m5", 0)),
        line(track("a" * 257, "m6", 0)),
        line(track("ann", "m7", 86_401)),  # a day ahead of its receipt
        line(track("ann", "m8", 5)),
    ]
    events, letters, dropped = outcome(*lines)
    assert events == ["m1", "m8"]
    assert [reason for reason, _ in letters] == [
        "absurd_time",
        "long_id",
        "no_visitor_id",
        "not_json",
        "not_utf8",
        "reserved_id",
        "unknown_type",
        "wrong_type",
    ]
    assert dict(letters)["not_json"] == "{no json"
    assert dropped == {"bot": 1}


def test_a_message_is_what_it_was_when_no_other_is_in_its_batch() -> None:
    lines = [line(track("ann", f"m{n}", n)) if n % 3 else line(b"bad") for n in range(9)]
    together = adapt_lines(lines, SOURCE, CleaningRules())
    alone = [adapt_lines([each], SOURCE, CleaningRules()) for each in lines]
    assert together.events.to_pylist() == [row for each in alone for row in each.events.to_pylist()]
    assert together.rejected.num_rows == sum(each.rejected.num_rows for each in alone) == 3


def test_the_time_of_receipt_is_the_messages_own_or_that_of_pubsub() -> None:
    lines = [
        line(b"broken", 1),
        line(track("ann", "own", 0, receivedAt=clock(2)), 9),
        line(track("bot", "bot", 0, context=BOT), 3),
        line(track("ann", "none", 0), 4),
    ]
    received = adapt_lines(lines, SOURCE, CleaningRules())
    assert received.events.column("received_at_us").to_pylist() == [NOON_US + 2 * SECOND_US, NOON_US + 4 * SECOND_US]
    assert received.published_us.tolist() == [NOON_US + 9 * SECOND_US, NOON_US + 4 * SECOND_US]


def test_nothing_comes_of_nothing() -> None:
    assert outcome() == ([], [], {})


def read(*messages: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    reader = _Read(SOURCE, CleaningRules())
    reader.start_bundle()
    found: list[Any] = []
    for number, each in enumerate(messages):
        found += reader.process(each, at(number))
    found += reader.finish_bundle()
    letters = [each.value.value for each in found if getattr(each, "tag", None) == REJECTED]
    events = [each for each in found if getattr(each, "tag", None) != REJECTED]
    return events, [row for batch in letters for row in batch.to_pylist()]


def test_rows_keep_their_key_and_the_time_of_their_message() -> None:
    events, letters = read(message(track("ann", "m1", 0)), message(track("bob", "m2", 1, userId="b")))
    assert [(each.value[0], each.value[1][0], each.timestamp) for each in events] == [
        ("ann", "m1", at(0)),
        ("bob", "m2", at(1)),
    ]
    table = decode_events([each.value[1][1] for each in events], ["", ""])
    assert table.column("user_id").to_pylist() == [None, "b"]
    assert letters == []


@pytest.mark.parametrize(
    ("data", "ids", "rejected"),
    [
        (b'{"type":"page","anonymousId":"a",\n"messageId":"spread","timestamp":1785585600}', ["spread"], []),
        (b'{"type":"page","anonymousId":"a","messageId":"one","timestamp":1785585600}\n\nbad\n', ["one"], ["bad"]),
        (b"", [], [""]),
        (b"\n \n", [], ["\n \n"]),
    ],
)
def test_a_message_holds_one_event_or_one_a_line(data: bytes, ids: list[str], rejected: list[str]) -> None:
    events, letters = read(message(data, stream="events"))
    assert [each.value[1][0] for each in events] == ids
    assert [(row["reason"], row["row"]) for row in letters] == [("not_json", text) for text in rejected]


def test_dead_letters_of_the_service_pass_and_other_streams_are_dead_letters() -> None:
    letter = {"reason": "no_time", "row": "{}", "source": "spool"}
    _, letters = read(
        message(letter, stream="rejected"),
        message({"reason": 1, "row": "x"}, stream="rejected"),
        message({"probability": 0.5}, stream="predictions"),
    )
    assert letters == [
        letter,
        {"reason": "unknown_stream", "row": '{"reason": 1, "row": "x"}', "source": SOURCE},
        {"reason": "unknown_stream", "row": '{"probability": 0.5}', "source": SOURCE},
    ]


def test_many_messages_leave_before_the_bundle_ends() -> None:
    reader = _Read(SOURCE, CleaningRules())
    reader.start_bundle()
    left = [list(reader.process(message(track("ann", f"m{n}", 0)), at(0))) for n in range(1030)]
    assert [len(each) for each in left if each] == [1024]
    assert len(list(reader.finish_bundle())) == 6
