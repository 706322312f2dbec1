"""Whether serving computes the features that training computed, instance by instance: ``make bench-parity``.

Random visitors become examples in the Beam pipeline. Each example's visitor, as it was at the moment of the example, is
then collected by a running service over HTTP and read back from its fast store, and is sent as the body of a request
for a prediction. An instance counts as identical when all three codings of it are, number by number.
"""

import argparse
import asyncio
import http.client
import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from benchmarks.examples_equal import load_examples
from benchmarks.figures import Figure, write_results
from features.cleaning import CleaningRules
from features.coding import FeatureCoder
from features.events import MAX_EVENT_BYTES
from features.received import CollectionRules
from features.recent_events import encode_events
from features.spec import FeatureSpec
from models.behavior.scoring import History, code_histories
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions
from serving.assembly import recent_rules
from serving.loopback import Loopback, loopback_service
from serving.predictions import kept_events, read_messages
from serving.store import RecentEventsStore

VISITORS = 600
BATCH = 400
NAMES = ("Page Viewed", "Product Viewed", "Product Added", "Order Completed", "Prediction Point", "Search")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1 Version/16.0 Mobile/15E148 Safari/604.1",
    None,
)
KINDS = (
    ("purchase", {}, 30.0),
    ("purchase", {}, None),
    ("purchase_points", {"points": "synthetic", "horizon_events": 3}, 30.0),
    ("return_visit", {"days": 0.5}, None),
)
"""Generator, its parameters, minutes of inactivity that end a session."""

Message = dict[str, Any]


@dataclass(frozen=True)
class _Moment:
    """An example: its visitor's messages up to its end."""

    example_id: str
    messages: list[Message]


def main() -> None:
    """Compares, and writes ``benchmarks/results/parity.json``."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        total = identical = 0
        for number, (generator, params, gap) in enumerate(KINDS):
            counts = _compare(scratch / str(number), number, generator, params, gap)
            print(f"{generator} {params} gap {gap}: {counts[1]} of {counts[0]} identical")
            total, identical = total + counts[0], identical + counts[1]
    finally:
        shutil.rmtree(scratch)
    said = (
        f"share of {total} instances of {len(KINDS)} generators and session gaps, {VISITORS} random visitors each, "
        "whose features from the Beam pipeline, from the service's fast store and from the POST form are all the same"
    )
    write_results("parity", [Figure("parity_identical", said, identical / total, "share", "== 1.0")])


def _compare(scratch: Path, seed: int, generator: str, params: Message, gap: float | None) -> tuple[int, int]:
    scratch.mkdir()
    visitors = dict(_visitors(random.Random(seed)))
    lines = [orjson.dumps(message) for messages in visitors.values() for message in messages]
    random.Random(seed).shuffle(lines)
    (scratch / "events.jsonl").write_bytes(b"\n".join(lines))
    options = ExamplesOptions(
        (str(scratch / "events.jsonl"),),
        str(scratch / "examples"),
        generator=generator,
        generator_params=orjson.dumps(params).decode(),
        gap_minutes=gap,
        sequence_length=(40, 12, 40, 5)[seed],
    )
    make_examples(options)
    spec = FeatureSpec.from_json((scratch / "examples" / "feature_spec.json").read_bytes())
    trained = _trained(scratch / "examples")
    moments = [_moment(example_id, visitors, spec) for example_id in sorted(trained)]
    served, posted = _served(moments, spec), _posted(moments, spec)
    same = sum(
        _equal(trained[moment.example_id], one) and _equal(trained[moment.example_id], other)
        for moment, one, other in zip(moments, served, posted, strict=True)
    )
    return len(moments), same


def _visitors(rng: random.Random) -> Iterator[tuple[str, list[Message]]]:
    """Yields visitors with everything that may matter: ties in time, pauses, copies, nothing but names, odd texts."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(VISITORS):
        at = now - timedelta(days=rng.uniform(8, 15))
        agent = rng.choice(AGENTS)
        messages: list[Message] = []
        for index in range(rng.choice((1, 2, 5, 12, 30, 70))):
            at += timedelta(seconds=rng.choice((0, 0.000001, 1, 17.25, 61, 1799.5, 1800, 1801, 20_000)))
            name = rng.choice(NAMES)
            page = rng.choice(("/", "/c/shoes?size=41&utm_medium=Email", "/ä/ü?q=%20&gclid=1", "/cart", ""))
            message: Message = {
                "messageId": f"m{number}-{index:03d}",
                "anonymousId": f"v{number}",
                "timestamp": at.isoformat(),
                "context": {"userAgent": agent, "page": {"url": f"https://shop.example{page}" if page else None}},
                "properties": {"price": rng.choice((1, 2.5, "7", None)), "sku": f"s{rng.randrange(40)}"},
            }
            message["context"]["page"]["referrer"] = rng.choice(
                (None, "https://www.google.com/", "https://m.shop.example/")
            )
            kind = {"type": "page"} if name == "Page Viewed" else {"type": "track", "event": name}
            messages += [{**message, **kind}] * rng.choices((1, 2), (97, 3))[0]  # sent twice now and then
        yield f"v{number}", messages


def _trained(folder: Path) -> dict[str, Message]:
    """Returns example id -> its features, as the TFRecords have them."""
    found = {}
    for table in load_examples(folder).values():
        for row in table.to_pylist():
            found[row["example_id"][0].decode()] = row
    return found


def _moment(example_id: str, visitors: dict[str, list[Message]], spec: FeatureSpec) -> _Moment:
    """Finds, in plain Python, the event at which an example was cut: ``visitor/time of its last step/end``."""
    visitor, time_us, end = example_id.rsplit("/", 2)
    kept: dict[str, Message] = {}
    for message in sorted(visitors[visitor], key=lambda m: (_time_us(m), m["messageId"])):
        kept.setdefault(message["messageId"], message)
    events = list(kept.values())
    gap = spec.session_rules.gap_seconds
    starts = [
        index
        for index in range(len(events))
        if not index
        or (gap is not None and _time_us(events[index]) - _time_us(events[index - 1]) > round(gap * 1_000_000))
    ]
    for start, stop in zip(starts, [*starts[1:], len(events)], strict=True):
        cut = start + int(end)
        seen = [each for each in events[start:cut] if _name(each) not in spec.hides]
        if cut <= stop and seen and _time_us(seen[-1]) == int(time_us):
            return _Moment(example_id, events[:cut])
    raise AssertionError(f"example {example_id} is cut at no event of its visitor")


def _name(message: Message) -> str:
    return str(message.get("event", "Page Viewed"))


def _time_us(message: Message) -> int:
    since = datetime.fromisoformat(message["timestamp"]) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def _renamed(moments: Sequence[_Moment]) -> list[list[Message]]:
    """Returns the messages of each example as those of a visitor of its own."""
    return [
        [{**message, "anonymousId": f"i{index:06d}"} for message in moment.messages]
        for index, moment in enumerate(moments)
    ]


def _served(moments: Sequence[_Moment], spec: FeatureSpec) -> list[Message]:
    """Returns the features of each example from the fast store of a service that collected its events."""
    everything = [message for messages in _renamed(moments) for message in messages]
    random.Random(1).shuffle(everything)
    with loopback_service(store_events=200, store_days=60.0, write_keys=("parity",)) as service:
        _collect(service, everything)
        names = [f"i{index:06d}" for index in range(len(moments))]
        histories = asyncio.run(_recent(service, names))
    return _coded(histories, spec)


def _collect(service: Loopback, messages: list[Message]) -> None:
    connection = http.client.HTTPConnection(service.host, service.port, timeout=120)
    accepted = 0
    for start in range(0, len(messages), BATCH):
        body = orjson.dumps({"batch": messages[start : start + BATCH], "writeKey": "parity"})
        connection.request("POST", "/v1/batch", body)
        response = connection.getresponse()
        answer = orjson.loads(response.read())
        if response.status != 200 or answer["rejected"]:
            raise AssertionError(f"the service took no batch: {response.status} {answer}")
        accepted += answer["accepted"]
    connection.close()
    if accepted != len(messages):
        raise AssertionError(f"the service accepted {accepted} of {len(messages)} events")


async def _recent(service: Loopback, names: list[str]) -> list[History]:
    store = RecentEventsStore(service.settings.redis_url or "", recent_rules(service.settings), timeout_seconds=60)
    try:
        found = []
        for start in range(0, len(names), 500):
            found += await store.recent_many(names[start : start + 500])
        return [History(recent.rows, recent.full) for recent in found]
    finally:
        await store.close()


def _posted(moments: Sequence[_Moment], spec: FeatureSpec) -> list[Message]:
    """Returns the features of each example as the POST form computes them."""
    histories = []
    for messages in _renamed(moments):
        body = orjson.dumps({"events": messages})
        received = read_messages(body, CollectionRules(), MAX_EVENT_BYTES, len(messages))
        histories.append(History(encode_events(kept_events(*received, CleaningRules()))))
    return _coded(histories, spec)


def _coded(histories: list[History], spec: FeatureSpec) -> list[Message]:
    coder = FeatureCoder(spec)
    found: dict[int, Message] = defaultdict(dict)
    for start in range(0, len(histories), 16):  # as many as the service codes at once
        group = histories[start : start + 16]
        asked = [index for index, history in enumerate(group) if history.rows]
        coded = code_histories(coder, spec.required_columns(), group).coded
        names = pa.array([""] * len(coded))
        batch = coded.to_record_batch(label=np.zeros(len(coded), np.int64), visitor=names, example_id=names, stats={})
        for row, place in zip(batch.to_pylist(), coded.rows.tolist(), strict=True):
            found[start + asked[place]] = row
    return [found[index] for index in range(len(histories))]


def _equal(trained: Message, served: Message) -> bool:
    """Says whether all features are equal; label, visitor, id and stats are no features."""
    names = [name for name in trained if name.startswith(("hash/", "step/", "metadata/", "time_us"))]
    return all(list(trained[name] or []) == list(served.get(name) or []) for name in names)


if __name__ == "__main__":
    main()
