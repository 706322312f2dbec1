"""From what one shard takes to what a job of any size takes: the formulae of docs/sizing.md, and nothing measured."""

import math
from dataclasses import dataclass

from benchmarks.prices import Prices
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS
from transforms.shards import SHARDS_AT_ONCE

OTHER_MACHINE = 2.0
"""How much slower a worker may be than the core that was measured, and what the runner itself takes, as one factor."""

UNLIKELY = 1e-6
"""Chance that any shard is larger than the bound says."""


@dataclass(frozen=True)
class Measured:
    """What was measured of one worker process.

    Attributes:
        split_seconds: processor time an event from reading to packed pieces, with ``MAX_SHARDS`` shards.
        shard_seconds: processor time an event from pieces to files.
        bytes_an_event: that cross the shuffle, packed.
        start_gb: memory of a process before it has a shard (10^9 bytes).
        gb_a_million: memory more for each million events of a shard.
        kept: share of the rows read that is left after cleaning.
    """

    split_seconds: float
    shard_seconds: float
    bytes_an_event: float
    start_gb: float
    gb_a_million: float
    kept: float


@dataclass(frozen=True)
class Plan:
    """A job as it would be run.

    Attributes:
        events: rows read.
        shards: number of shards.
        events_a_shard: on average.
        hottest: the bound on the largest shard over the average one; see ``hottest_shard``.
        shuffle_gb: bytes that cross the shuffle (10^9).
        vcpu_hours: processor time of all workers.
        memory_gb: of a worker process, whose shards are as large as the bound.
        workers: with four processors each, to be done within ``hours``.
        dollars: workers and shuffle, by the price list.
    """

    events: float
    shards: int
    events_a_shard: float
    hottest: float
    shuffle_gb: float
    vcpu_hours: float
    memory_gb: float
    workers: int
    dollars: float


VCPUS_A_WORKER = 4
GB_A_VCPU = 8.0


def shards_of(events: float) -> int:
    """Returns how many shards the pipeline takes for so many events."""
    needed = 1 + int(events // EVENTS_PER_SHARD)
    return 1 if needed == 1 else min(MAX_SHARDS, -(-needed // SHARDS_AT_ONCE) * SHARDS_AT_ONCE)


def hottest_shard(mean: float, most: float, shards: int, unlikely: float = UNLIKELY) -> float:
    """Returns a bound on the largest shard's events over the mean, which holds with a chance of 1 - ``unlikely``.

    Visitors fall into shards by a hash, independently, each with at most ``most`` events. A shard's events are then a
    sum of independent terms between 0 and ``most`` whose variance is at most ``mean * most``, whatever visitors are
    like; Bernstein's inequality bounds it: P(X >= mean + t) <= exp(-t^2 / (2 (mean * most + most * t / 3))), and that
    any shard is so large at most ``shards`` times that.

    Args:
        mean: events of a shard, on average.
        most: events of one visitor, at most (``max_events``).
        shards: number of shards.
        unlikely: chance that any shard exceeds the bound.
    """
    exponent = math.log(shards / unlikely)
    linear = exponent * most / 3
    beyond = linear + math.sqrt(linear * linear + 2 * exponent * mean * most)  # the root of t^2 = 2 e (m M + M t / 3)
    return (mean + beyond) / mean


def plan(measured: Measured, events: float, *, max_events: int, hours: float, prices: Prices) -> Plan:
    """Returns the plan of a job that reads so many events and is to be done within so many hours."""
    shards = shards_of(events)
    kept = events * measured.kept
    mean = kept / shards
    hottest = hottest_shard(mean, max_events, shards)
    seconds = OTHER_MACHINE * (events * measured.split_seconds + kept * measured.shard_seconds)
    vcpu_hours = seconds / 3600
    workers = max(1, math.ceil(vcpu_hours / hours / VCPUS_A_WORKER))
    shuffle_gb = kept * measured.bytes_an_event / 1e9
    # In each process two shards are worked on and one more has been unpacked; one process a processor, one thread each.
    memory_gb = measured.start_gb + (SHARDS_AT_ONCE + 1) * measured.gb_a_million * mean * hottest / 1e6
    dollars = (
        vcpu_hours * (prices.dataflow_vcpu_hour + GB_A_VCPU * prices.dataflow_gb_hour)
        + 2 * shuffle_gb * prices.dataflow_shuffle_gb
    )
    return Plan(events, shards, mean, hottest, shuffle_gb, vcpu_hours, memory_gb, workers, dollars)
