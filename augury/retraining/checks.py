"""Whether the data of a window are fit to learn from: what was measured, against the rules, as findings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from augury.retraining.app import CheckRules

SCHEMA, LABEL_RATE, VOLUME, DRIFT, SKEW = "schema", "label_rate", "volume", "drift", "skew"
KINDS = (SCHEMA, LABEL_RATE, VOLUME, DRIFT, SKEW)
"""What can be found, what explains most first: the first of them is the reason that a run gives."""

_ERRORS = 4.0
"""Standard errors that a rate must have moved as well: of few labels it moves by itself."""

_DIVERGED = "COMPARATOR_"
_SAID_ELSEWHERE = {"label"}
_MOST_TOLD = 3


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    count: int
    among: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.count / self.among if self.among else math.nan


@dataclass(frozen=True)
class Measured:
    """What the statistics of a window say.

    Attributes:
        examples: in the last days.
        rates: of labels in the last days, by name.
        anomalies: TFDV's: feature, kind, what.
        measures: TFDV's: feature, what (drift or skew), value, threshold.
    """

    examples: int
    rates: Mapping[str, Rate]
    anomalies: tuple[Mapping[str, str], ...] = ()
    measures: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Before:
    """What a later run needs of an earlier one.

    Attributes:
        version: that the earlier one made.
        examples: in its last days.
        rates: of its labels in them.
    """

    version: str
    examples: int
    rates: Mapping[str, Rate]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the data: of which kind, and what in one line."""

    kind: str
    what: str


def find(measured: Measured, before: Before | None, rules: CheckRules) -> list[Finding]:
    """Returns what is wrong with the data of a window, what explains most first.

    Without an earlier run only what needs none is looked at.
    """
    found = [*_anomalies(measured), *_diverged(measured)]
    if before is not None:
        found += [*_rates(measured, before, rules), *_volume(measured, before, rules)]
    elif measured.rates and not any(0 < rate.count < rate.among for rate in measured.rates.values()):
        found.append(Finding(LABEL_RATE, "all labels of the last days are the same"))
    return sorted(found, key=lambda one: KINDS.index(one.kind))


def reason(found: list[Finding]) -> str:
    """Returns what is wrong in one line: the kind that explains most, and how much else there is."""
    kind = found[0].kind
    first = [one.what for one in found if one.kind == kind]
    more = [f"and {len(first) - _MOST_TOLD} more"] if len(first) > _MOST_TOLD else []
    others = {k: sum(one.kind == k for one in found) for k in KINDS if k != kind}
    also = ", ".join(f"{count} of {k}" for k, count in others.items() if count)
    return "; ".join([*first[:_MOST_TOLD], *more]) + (f" (also found: {also})" if also else "")


def _anomalies(measured: Measured) -> Iterator[Finding]:
    seen = set()
    for one in measured.anomalies:
        about = one["feature"], one["kind"]
        if not one["kind"].startswith(_DIVERGED) and one["feature"] not in _SAID_ELSEWHERE and about not in seen:
            seen.add(about)
            yield Finding(SCHEMA, f"{one['feature'] or 'the examples'}: {one['what'].rstrip('.')} ({one['kind']})")


def _diverged(measured: Measured) -> Iterator[Finding]:
    for one in sorted(measured.measures, key=lambda one: -float(one["value"])):
        if one["feature"] in _SAID_ELSEWHERE or not one["value"] > one["threshold"]:
            continue
        against = "from the last run" if one["what"] == DRIFT else "between train and test"
        yield Finding(
            str(one["what"]),
            f"{one['feature']} differs by {one['value']:.3f} {against} (Jensen-Shannon divergence, at most "
            f"{one['threshold']:g})",
        )


def _rates(measured: Measured, before: Before, rules: CheckRules) -> Iterator[Finding]:
    for name in sorted(measured.rates.keys() | before.rates.keys()):
        now, then = measured.rates.get(name, Rate(0, 0)), before.rates.get(name, Rate(0, 0))
        if not now.among:
            now = Rate(0, max((rate.among for rate in measured.rates.values()), default=0))
        if not now.among or not then.among:
            continue
        pooled = (now.count + then.count) / (now.among + then.among)
        error = math.sqrt(pooled * (1 - pooled) * (1 / now.among + 1 / then.among))
        if abs(now.value - then.value) > _ERRORS * error and not _near(now.value, then.value, rules.label_rate):
            yield Finding(
                LABEL_RATE,
                f"label {name} is {now.value:.2%} of the last days ({now.count:,} of {now.among:,}), {then.value:.2%} "
                f"in the last run; expected {_range(then.value, rules.label_rate, '.2%')}",
            )


def _volume(measured: Measured, before: Before, rules: CheckRules) -> Iterator[Finding]:
    if not _near(measured.examples, before.examples, rules.volume):
        expected = _range(before.examples, rules.volume, ",.0f")
        yield Finding(
            VOLUME,
            f"{measured.examples:,} examples in the last days, {before.examples:,} in the last run; "
            f"expected {expected}",
        )


def _near(now: float, then: float, share: float) -> bool:
    return then * (1 - share) <= now <= then / (1 - share)


def _range(then: float, share: float, form: str) -> str:
    return f"{then * (1 - share):{form}} to {then / (1 - share):{form}}"
