"""Tallies: what every step read, kept and dropped, carried through the pipeline as data and as Beam metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from apache_beam.metrics import Metrics

NAMESPACE = "augury"
"""Namespace of every Beam metric of the project."""

TALLY = "tally"
"""Tag of the output that carries a ``Tally`` for every piece of work."""


@dataclass(frozen=True)
class Tally:
    """Counts of one piece of work, and the span of event times that it saw.

    Attributes:
        counts: ``kind/reason`` -> number of events, kind being ``read``, ``rejected``, ``dropped`` or ``kept``.
        start_us: earliest event time, or None where there was no event.
        end_us: one past the latest event time, or None.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    start_us: int | None = None
    end_us: int | None = None


def merge(tallies: Iterable[Tally]) -> Tally:
    """Adds counts up and spans all the times."""
    counts: Counter[str] = Counter()
    starts, ends = [], []
    for tally in tallies:
        counts.update(tally.counts)
        if tally.start_us is not None and tally.end_us is not None:
            starts.append(tally.start_us)
            ends.append(tally.end_us)
    return Tally(dict(counts), min(starts, default=None), max(ends, default=None))


def by_reason(tally: Tally, kind: str) -> dict[str, int]:
    """Returns reason -> count for one kind, most frequent first, without the zeros."""
    prefix = kind + "/"
    found = {key.removeprefix(prefix): n for key, n in tally.counts.items() if key.startswith(prefix) and n}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def count(kind: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Increments the Beam counters ``kind/reason`` and returns the counts under those names."""
    named = {f"{kind}/{reason}": n for reason, n in counts.items() if n}
    for name, n in named.items():
        Metrics.counter(NAMESPACE, name).inc(n)
    return named
