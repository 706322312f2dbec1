"""The leakage linter: does an instance know its own future, and does its shape give the answer away?

Two kinds of question. Of every slice: is what the model would see, and what the generator says of the slice, the same
whatever happens at and after ``end``, and would the service begin it at the same event? Of all slices: does length,
position or the sight of one event alone tell the label?
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from example_generators.base import ExampleGenerator
from example_generators.comparison import differences
from example_generators.errors import GeneratorError
from example_generators.giveaways import Giveaway, rank_auc, telling_values
from example_generators.perturbation import FUTURES, INTACT, one_per_session, with_future
from features.current import beginnings
from features.sessions import Sessions
from features.slices import CENSORED, Slices

AUC_LIMIT = 0.8
"""Length or position alone must not rank the labels this well."""

SIGHT_LIMIT = 0.97
"""Nor must the sight of one event or URL. An honest sign may come near (in one real shop, seeing "Product Added" tells
purchases with an AUC of 0.905); the outcome itself, or its thank-you page, comes to 1."""

_CHUNK = 4096


class Coder(Protocol):
    """What the linter needs of a ``FeatureCoder``."""

    def encode(self, sessions: Sessions, slices: Slices) -> Any:
        """Returns coded instances: ``rows``, ``lengths``, ``event_rows`` and the arrays that the model sees."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong.

    Attributes:
        check: ``coder``, ``view``, ``place``, ``begin``, ``length``, ``position`` or ``sight``.
        message: what was found, with the number, and the remedy.
        value: the share of slices that changed, or the AUC.
    """

    check: str
    message: str
    value: float


@dataclass(frozen=True)
class LintReport:
    """What the linter looked at and found.

    Attributes:
        slices: number of slices checked.
        censored: how many of them have no answer yet; they have no part in length and position.
        length: how much an instance's number of steps tells.
        position: how much its place in the session tells.
        findings: what is wrong; empty when all is well.
    """

    slices: int
    censored: int
    length: Giveaway
    position: Giveaway
    findings: list[Finding]


def check_generator(generator: ExampleGenerator, sessions: Sessions, coder: Coder) -> list[Finding]:
    """Returns what ``lint`` finds wrong; empty when all is well."""
    return lint(generator, sessions, coder).findings


def lint(generator: ExampleGenerator, sessions: Sessions, coder: Coder, seed: int = 0) -> LintReport:
    """Checks a generator, with the coder that will code its slices, on real or simulated sessions.

    Args:
        generator: any generator; one that needs fitting is fitted on ``sessions``.
        sessions: some thousands of them say enough.
        coder: the coder of the feature spec that the examples will be made with.
        seed: draws the perturbed futures.

    Raises:
        GeneratorError: the generator gives no slice on these sessions.
    """
    if generator.needs_fitting:
        generator = generator.fit(sessions)
    slices = generator.slices_of(sessions)
    if not len(slices):
        raise GeneratorError(
            f"{type(generator).__name__} gives no slice on these {len(sessions)} sessions; check the event names in "
            "its parameters, or give more events"
        )
    findings = _futures(generator, sessions, slices, coder, np.random.default_rng(seed))
    findings += _beginnings(generator, sessions, slices, coder)
    answered = slices.take(slices.label != CENSORED)
    coded = coder.encode(sessions, answered)
    label = answered.label[coded.rows]
    length = rank_auc(coded.lengths.astype(np.float64), label)
    position = rank_auc(answered.end[coded.rows].astype(np.float64), label)
    findings += _shapes(length, position) + _sights(sessions, coded, label)
    return LintReport(len(slices), len(slices) - len(answered), length, position, findings)


def _futures(
    generator: ExampleGenerator, sessions: Sessions, slices: Slices, coder: Coder, rng: np.random.Generator
) -> list[Finding]:
    """Asks coder and generator again about every slice, in other futures.

    The futures begin at ``end``, and again one event later: many slices are cut at an event that they do not see (an
    order, a prediction point), and are there only while it is.
    """
    changed: Counter[tuple[str, str, str]] = Counter()
    for rows in _chunks(one_per_session(slices)):
        asked = slices.take(rows)
        copies = Slices(np.arange(len(rows)), asked.start, asked.end, asked.label, asked.stats)
        seen = coder.encode(with_future(sessions, asked.session, asked.end, INTACT, rng), copies)
        for future in FUTURES:
            perturbed = with_future(sessions, asked.session, asked.end, future, rng)
            for part, count in differences(seen, coder.encode(perturbed, copies), len(rows)):
                changed["coder", part, future] += count
            view, _ = _view(copies, generator.slices_of(perturbed))
            perturbed = with_future(sessions, asked.session, asked.end + 1, future, rng)
            later_view, gone = _view(copies, generator.slices_of(perturbed))
            for part, count in view.items():
                changed["view", part, future] += max(count, later_view[part])
            changed["place", "", future] += gone
    return [_leak(*key, count, len(slices)) for key, count in sorted(changed.items()) if count]


def _chunks(groups: list[npt.NDArray[np.int64]]) -> Iterator[npt.NDArray[np.int64]]:
    for group in groups:
        yield from np.split(group, range(_CHUNK, len(group), _CHUNK))


def _leak(check: str, part: str, future: str, count: int, total: int) -> Finding:
    where = f"{count:,} of {total:,} slices"
    message = {
        "coder": f"what the model sees ({part}) changes in {where} when the future is {future}: code an instance from "
        "its own visible events alone",
        "view": f"what the generator says of a slice ({part}) changes in {where} when the future is {future}: let "
        "nothing at or after `end` decide it",
        "place": f"{where} are not there when what follows the event at their `end` is {future}: let nothing after "
        "that event decide where to predict",
    }
    return Finding(check, message[check], count / total)


def _view(asked: Slices, found: Slices) -> tuple[dict[str, int], int]:
    """Returns part -> changes in the slices that are still cut at their ``end``, and how many no longer are.

    ``asked`` has one slice of each session. The label may change with the future: it is the answer.
    """
    same = np.flatnonzero(found.end == asked.end[found.session])
    mine = found.session[same]
    parts = {"start": int((found.start[same] != asked.start[mine]).sum())}
    for name, values in asked.stats.items():
        parts[f"stat {name}"] = int((~np.isclose(values[mine], found.stats[name][same], 0, 0, equal_nan=True)).sum())
    return parts, len(asked) - len(np.unique(mine))


def _beginnings(generator: ExampleGenerator, sessions: Sessions, slices: Slices, coder: Coder) -> list[Finding]:
    """Reports slices of which the service, which begins as ``begins_after`` says, would see other events.

    Two instances of one session with one end are the same if they have as many steps: both are its last visible events.
    """
    start = beginnings(sessions, slices.session, slices.end, generator.begins_after)
    begun = Slices(slices.session, start, slices.end, slices.label, slices.stats)
    lengths = np.zeros((2, len(slices)), np.int64)
    for found, coded in zip(lengths, (coder.encode(sessions, slices), coder.encode(sessions, begun)), strict=True):
        found[coded.rows] = coded.lengths
    different = int((lengths[0] != lengths[1]).sum())
    if not different:
        return []
    named = ", ".join(repr(name) for name in generator.begins_after)
    where = f"after the last {named} of the session" if named else "with the session, as begins_after is empty"
    message = (
        f"the service would see other events in {different:,} of {len(slices):,} slices: it begins {where}; begin the "
        "slices there, or name in begins_after the events that they begin after"
    )
    return [Finding("begin", message, different / len(slices))]


def _shapes(length: Giveaway, position: Giveaway) -> list[Finding]:
    found = []
    for check, giveaway, what in (
        ("length", length, "the number of events in an instance"),
        ("position", position, "the place of an instance in its session"),
    ):
        if giveaway.exceeds(AUC_LIMIT):
            found.append(
                Finding(
                    check,
                    f"{what} alone predicts the label with an AUC of {giveaway.auc:.3f} (limit {AUC_LIMIT}): slice at "
                    "prediction points, chosen without looking at the outcome",
                    giveaway.auc,
                )
            )
    return found


def _sights(sessions: Sessions, coded: Any, label: npt.NDArray[np.int64]) -> list[Finding]:
    """Reports events and URLs whose mere sight tells the label: mostly the outcome itself, or its confirmation page."""
    instance = np.repeat(np.arange(len(label)), coded.lengths)
    found = []
    for column in ("event", "url"):
        if column not in sessions.events.column_names:
            continue
        codes, distinct = sessions.codes(column)
        for value, hits, others, giveaway in telling_values(codes[coded.event_rows], instance, label, SIGHT_LIMIT):
            found.append(
                Finding(
                    "sight",
                    f"{column} {distinct[value].as_py()!r} is visible in {hits:.1%} of the instances of one label and "
                    f"{others:.1%} of the others (AUC {giveaway.auc:.3f}, limit {SIGHT_LIMIT}): hide it, or end the "
                    "slices before it",
                    giveaway.auc,
                )
            )
    return found
