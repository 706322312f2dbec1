"""Collection under load: ``make bench-collect``. Service, its store and the load share this machine's cores."""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import orjson

from benchmarks.figures import Figure, write_results
from benchmarks.load import Answers, request, send
from benchmarks.service import WRITE_KEY, Service, running
from benchmarks.shop_messages import shop_messages

_WORKERS = 2
_RATE = 1_000
_CONNECTIONS = 64
_SETTINGS = {"AUGURY_WORKERS": str(_WORKERS)}


def main() -> None:
    """Measures single-event requests and batches, and writes ``benchmarks/results/collect.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=15, help="about how long each load lasts")
    parser.add_argument("--rounds", type=int, default=3, help="fresh services; medians are taken")
    given = parser.parse_args()
    most, paced, batches = [], [], []
    singles = 2_500 * given.seconds
    messages = shop_messages(singles)
    one_by_one = [_single(message) for message in messages]
    many = shop_messages(20_000 * given.seconds)
    by_fifty = [_batch(many[start : start + 50]) for start in range(0, len(many), 50)]
    for _ in range(given.rounds):
        with running(_SETTINGS) as service:
            most.append(_load(service, one_by_one))
        with running(_SETTINGS) as service:
            paced.append(_load(service, one_by_one[: _RATE * given.seconds], rate=_RATE))
        with running(_SETTINGS) as service:
            batches.append(_load(service, by_fifty, connections=16))
    write_results("collect", _figures(most, paced, batches))


def _figures(most: Sequence[Answers], paced: Sequence[Answers], batches: Sequence[Answers]) -> list[Figure]:
    rates = [answers.per_second for answers in most]
    p99 = [answers.p99_ms for answers in paced]
    p50 = statistics.median(answers.p50_ms for answers in paced)
    events = [50 * answers.per_second for answers in batches]
    where = f"{_WORKERS} workers, the store and the load on one machine; median of {len(most)} services"
    return [
        Figure(
            "collect_rps",
            f"single-event requests a second, {_CONNECTIONS} connections, {where} ({_spread(rates)})",
            statistics.median(rates),
            "requests/s",
            ">= 1700",
        ),
        Figure(
            "collect_p99_ms",
            f"99th percentile at {_RATE} single-event requests a second, from when each was due ({_spread(p99)}); "
            f"median latency {p50:.1f} ms",
            statistics.median(p99),
            "ms",
            "< 25",
        ),
        Figure(
            "collect_batch_eps",
            f"events a second in batches of 50, 16 connections, {where} ({_spread(events)})",
            statistics.median(events),
            "events/s",
            ">= 15000",
        ),
    ]


def _load(
    service: Service, requests: Sequence[bytes], connections: int = _CONNECTIONS, rate: float | None = None
) -> Answers:
    return send(requests, service.port, connections, rate, warm=len(requests) // 10)


def _single(message: dict[str, Any]) -> bytes:
    body = orjson.dumps({**message, "writeKey": WRITE_KEY, "sentAt": message["timestamp"]})
    return request("POST", f"/v1/{message['type']}", body, content_type="application/json")


def _batch(messages: Sequence[dict[str, Any]]) -> bytes:
    body = orjson.dumps({"writeKey": WRITE_KEY, "batch": messages, "sentAt": messages[-1]["timestamp"]})
    return request("POST", "/v1/batch", body, content_type="application/json")


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.4g} to {max(values):.4g}"


if __name__ == "__main__":
    main()
