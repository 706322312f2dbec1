"""What collection took: counts become rates, and nobody looks while nobody asks."""

import asyncio

from serving.console import throughput
from serving.console.throughput import Look, Rate, Throughput, rates
from serving.metrics import Metrics


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def look(at: float, accepted: float, rejected: float = 0) -> Look:
    return Look(at, {("accepted", ""): accepted, ("rejected", "no_time"): rejected}, {})


def test_rates_are_between_looks() -> None:
    found = rates([look(0, 0), look(10, 50, 5), look(15, 50, 5), look(15, 50, 5)])
    assert found == [Rate(5, 10, 5.0, 0.5), Rate(0, 5, 0.0, 0.0)]


def test_a_counter_that_fell_began_anew() -> None:
    assert rates([look(0, 100, 9), look(10, 20, 0)]) == [Rate(0, 10, 0.0, 0.0)]
    assert rates([]) == []


def test_looks_are_of_the_last_minutes() -> None:
    clock = Clock()

    async def run() -> None:
        metrics = Metrics()
        found = Throughput(metrics, clock)
        metrics.events.labels("accepted", "").inc(3)
        metrics.refused.labels("busy").inc()
        [first] = await found.looks()
        assert (first.taken("accepted"), first.refused) == (3.0, {("busy",): 1.0})
        clock.now += 0.5
        assert len(await found.looks()) == 1  # too soon after the last one to tell a rate
        clock.now += 5
        metrics.events.labels("accepted", "").inc(10)
        assert [rate.accepted for rate in rates(await found.looks())] == [2.0]
        clock.now += 700
        assert len(await found.looks()) == 1
        await found.close()

    asyncio.run(run())


def test_nobody_looks_for_long_after_the_last_question(monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr(throughput, "_LOOK_SECONDS", 0.0)

    async def run() -> None:
        found = Throughput(Metrics(), clock)
        await found.looks()
        clock.now += 1000
        assert found._task is not None
        await asyncio.wait_for(found._task, 10)
        await found.looks()  # and again
        await found.close()

    asyncio.run(run())
