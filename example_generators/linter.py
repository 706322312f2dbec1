"""The leakage linter: does an instance know its own future, and does its shape give the answer away?

Two kinds of question. Of every slice: is what the model would see, and what the generator says of the slice, the same
whatever happens at and after ``end``? Of all slices: does length, position or the sight of one event alone tell the
label?
"""

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
from features.sessions import Sessions
from features.slices import CENSORED, Slices

AUC_LIMIT = 0.8
"""Length or position alone must not rank the labels this well."""

SIGHT_LIMIT = 0.9
"""Nor must the sight of one event or URL."""

_CHUNK = 4096


class Coder(Protocol):
    """What the linter needs of a ``FeatureCoder``."""

    def encode(self, sessions: Sessions, slices: Slices) -> Any:
        """Returns coded instances: ``rows``, ``lengths``, ``event_rows`` and the arrays that the model sees."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong.

    Attributes:
        check: ``coder``, ``view``, ``length``, ``position`` or ``sight``.
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
        moved: how many are not cut there at all when their future is another, as happens when slicing at outcomes.
        length: how much an instance's number of steps tells.
        position: how much its place in the session tells.
        findings: what is wrong; empty when all is well.
    """

    slices: int
    censored: int
    moved: int
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
    if getattr(generator, "needs_fitting", False):
        generator = generator.fit(sessions)  # type: ignore[attr-defined]
    slices = generator.slices_of(sessions)
    if not len(slices):
        raise GeneratorError(
            f"{type(generator).__name__} gives no slice on these {len(sessions)} sessions; check the event names in "
            "its parameters, or give more events"
        )
    findings, moved = _futures(generator, sessions, slices, coder, np.random.default_rng(seed))
    answered = slices.take(slices.label != CENSORED)
    coded = coder.encode(sessions, answered)
    label = answered.label[coded.rows]
    length = rank_auc(coded.lengths.astype(np.float64), label)
    position = rank_auc(answered.end[coded.rows].astype(np.float64), label)
    findings += _shapes(length, position) + _sights(sessions, coded, label)
    return LintReport(len(slices), len(slices) - len(answered), moved, length, position, findings)


def _futures(
    generator: ExampleGenerator, sessions: Sessions, slices: Slices, coder: Coder, rng: np.random.Generator
) -> tuple[list[Finding], int]:
    """Returns the findings of the perturbed futures, and how many slices are not cut there in another future."""
    changed: dict[tuple[str, str, str], int] = {}
    moved = np.zeros(len(slices), np.bool_)
    for rows in _chunks(one_per_session(slices)):
        asked = slices.take(rows)
        copies = Slices(np.arange(len(rows)), asked.start, asked.end, asked.label, asked.stats)
        seen = coder.encode(with_future(sessions, asked, INTACT, rng), copies)
        for future in FUTURES:
            perturbed = with_future(sessions, asked, future, rng)
            for part, different in differences(seen, coder.encode(perturbed, copies), len(rows)):
                changed["coder", part, future] = changed.get(("coder", part, future), 0) + different
            gone, parts = _view(copies, generator.slices_of(perturbed))
            moved[rows[gone]] = True
            for part, different in parts:
                changed["view", part, future] = changed.get(("view", part, future), 0) + different
    return [_leak(*key, count, len(slices)) for key, count in sorted(changed.items()) if count], int(moved.sum())


def _chunks(groups: list[npt.NDArray[np.int64]]) -> Iterator[npt.NDArray[np.int64]]:
    for group in groups:
        yield from np.split(group, range(_CHUNK, len(group), _CHUNK))


def _leak(check: str, part: str, future: str, count: int, total: int) -> Finding:
    whose = "what the model sees" if check == "coder" else "what the generator says of a slice"
    remedy = (
        "code an instance from its own visible events alone"
        if check == "coder"
        else "let nothing at or after `end` decide it"
    )
    return Finding(
        check,
        f"{whose} ({part}) changes in {count:,} of {total:,} slices when the future is {future}: {remedy}",
        count / total,
    )


def _view(asked: Slices, found: Slices) -> tuple[npt.NDArray[np.bool_], list[tuple[str, int]]]:
    """Returns which slices are no longer cut at their ``end``, and the changes in those that are, by part.

    ``asked`` has one slice of each session. The label may change with the future: it is the answer.
    """
    same = np.flatnonzero(found.end == asked.end[found.session])
    mine = found.session[same]
    gone = np.ones(len(asked), np.bool_)
    gone[mine] = False
    parts = [("start", int((found.start[same] != asked.start[mine]).sum()))]
    for name, values in asked.stats.items():
        before, after = values[mine], found.stats[name][same]
        parts.append((f"stat {name}", int((~((before == after) | (np.isnan(before) & np.isnan(after)))).sum())))
    return gone, parts


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
