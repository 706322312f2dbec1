"""Events and shortcuts for the tests of the fast store."""

import json
from typing import Any

import orjson
import pyarrow as pa
import redis

from features.events import EVENT_SCHEMA
from features.recent_calls import forget_call, read_forgotten, read_recent, recent_calls
from features.recent_events import Forgotten, PushCounts, Recent, RecentRules, push_events

NOW_US = 1_780_000_000_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def event(message_id: str, anonymous_id: str = "a1", at: float = 0, **others: Any) -> dict[str, Any]:
    """Returns one event ``at`` seconds after ``NOW_US`` less a day, received a second later."""
    time_us = NOW_US - DAY_US + round(at * SECOND_US)
    row = {"type": "track", "event": "Product Viewed", "timestamp_us": time_us, "received_at_us": time_us + SECOND_US}
    return {"message_id": message_id, "anonymous_id": anonymous_id, **row, **others}


def alias(message_id: str, previous: str, user: str, at: float = 0, **others: Any) -> dict[str, Any]:
    """Returns an alias call as the adapter makes it: without an anonymous id, the user's own stands there."""
    given = {"type": "alias", "event": "Alias", "user_id": user, "properties": json.dumps({"previousId": previous})}
    return event(message_id, at=at, **{"anonymous_id": user, **given, **others})


def batch(*events: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([row.get(item.name) for row in events], item.type) for item in EVENT_SCHEMA], schema=EVENT_SCHEMA
    )


class Store:
    """A real server's client, with the rules at hand."""

    def __init__(self, client: redis.Redis, **rules: Any) -> None:
        self.client = client
        self.rules = RecentRules(**rules)

    def push(self, *events: dict[str, Any], now_us: int = NOW_US) -> PushCounts:
        return push_events(self.client, batch(*events), self.rules, now_us)

    def recent(self, visitor: str, now_us: int = NOW_US) -> Recent:
        (call,) = recent_calls([visitor], self.rules, now_us)
        (recent,) = read_recent([self._run(call.script.text, call.args)], self.rules)
        return recent

    def ids(self, visitor: str, now_us: int = NOW_US) -> list[str]:
        return [orjson.loads(row)[0] for row in self.recent(visitor, now_us).rows]

    def visitor(self, name: str) -> str:
        return self.recent(name).visitor

    def forget(self, visitor: str, now_us: int = NOW_US) -> Forgotten:
        call = forget_call(visitor, self.rules, now_us)
        return read_forgotten(self._run(call.script.text, call.args))

    def held_keys(self, pattern: str = "*") -> list[str]:
        return sorted(key.decode(errors="replace") for key in self.client.keys(pattern))

    def _run(self, text: str, args: list[Any]) -> Any:
        return self.client.eval(text, 0, *args)
