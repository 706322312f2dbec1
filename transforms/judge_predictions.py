"""What became of predictions: each is put to the slice that it was about, and the example generator says the answer.

**The label of a prediction made at t.** A week's predictions are judged as of one moment, the week's end plus the days
to settle; events after that moment change nothing, so a settled week gives the same figures whenever the report is
made. The visitor's events before that moment become sessions by the rules of the version's feature spec, and the
version's own generator slices them. The prediction is about the first slice of the session of the last event before t
that holds this event and ends with it or later: the instance that was growing at t. Its label is the prediction's.

A generator whose slices answer for their end alone (``only_at_end``) says nothing of moments between two ends: there
the slice must hold exactly the visible events that happened before t.

What is not known yet is censored, never a negative: a week whose moment is still to come, a session that may go on at
that moment, a slice that the generator itself calls censored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from example_generators.base import ExampleGenerator
from features.current import beginnings
from features.ragged import Ints
from features.sessions import VISITOR, SessionRules, Sessions, Window, build_sessions
from features.slices import CENSORED, Slices
from features.weeks import WEEK_US, week_of

KNOWN = "known"
WEEK_OPEN, STILL_RUNNING, GENERATOR_CENSORED = "week_open", "still_running", "censored_by_generator"
NO_EVENTS, NO_INSTANCE, OVER_LIMIT = "no_events", "no_instance", "visitor_over_limit"

CENSORED_BECAUSE = (WEEK_OPEN, STILL_RUNNING, GENERATOR_CENSORED)
"""Statuses of predictions whose answer is not known yet."""

NOT_JUDGED_BECAUSE = (NO_EVENTS, NO_INSTANCE, OVER_LIMIT)
"""Statuses of predictions that were about no instance: there is no answer to wait for."""

STATUSES = (KNOWN, *CENSORED_BECAUSE, *NOT_JUDGED_BECAUSE)

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field(VISITOR, pa.string(), nullable=False),
        pa.field("asked", pa.string(), nullable=False),
        pa.field("prediction_id", pa.string()),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("week_us", pa.int64(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("known", pa.bool_(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("predicted", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("label", pa.int64()),
        pa.field("events_before", pa.int64(), nullable=False),
    ]
)
"""What became of a prediction. ``visitor`` is who ``asked`` (the name that was asked about) turned out to be; ``label``
is the class that came true, null unless ``status`` is known; ``events_before`` are the visible events of the session
before the prediction."""


@dataclass(frozen=True)
class Judge:
    """How the predictions of some versions are judged.

    Attributes:
        generator: says where the slices are and what the answers were.
        rules: how events become sessions.
        hides: names of the events that no instance sees.
        begins_after: names of the events that no instance reaches back beyond.
    """

    generator: ExampleGenerator
    rules: SessionRules
    hides: tuple[str, ...]
    begins_after: tuple[str, ...]


class Verdict(NamedTuple):
    """What became of N predictions: index into ``STATUSES``, label (``CENSORED`` where there is none), events seen."""

    status: npt.NDArray[np.int8]
    label: Ints
    seen: Ints


def judge_shard(
    events: pa.Table, predictions: pa.Table, judges: Mapping[str, Judge], window: Window, settle_us: int
) -> pa.Table:
    """Returns the outcomes of a shard's predictions, (P,) rows in ``OUTCOME_SCHEMA`` by visitor, time and id.

    Args:
        events: of these visitors, with the column ``visitor`` and what the judges' generators require; may be empty.
        predictions: (P,) with the columns of ``OUTCOME_SCHEMA`` that are known before.
        judges: version -> how it is judged; of every version among the predictions.
        window: of the events; a week is judged only where its moment is not after the window's end.
        settle_us: how long after a week's end its answers count as in, microseconds.
    """
    predictions = predictions.unify_dictionaries().combine_chunks()
    count = predictions.num_rows
    time_us = predictions.column("time_us").to_numpy()
    visitors = predictions.column(VISITOR).combine_chunks().cast(pa.string())
    weeks = week_of(time_us)
    status, label, seen = np.zeros(count, np.int8), np.full(count, CENSORED, np.int64), np.zeros(count, np.int64)
    versions = predictions.column("version").combine_chunks().cast(pa.string()).dictionary_encode()
    kinds = [judges[name] for name in versions.dictionary.to_pylist()]
    distinct: list[Judge] = []
    for kind in kinds:  # generators of others need not be hashable
        if kind not in distinct:
            distinct.append(kind)
    which = np.array([distinct.index(kind) for kind in kinds], np.int64)[versions.indices.to_numpy()]
    for number, judge in enumerate(distinct):
        for week in np.unique(weeks[which == number]).tolist():
            rows = np.flatnonzero((which == number) & (weeks == week))
            moment = week + WEEK_US + settle_us
            found = judge_week(
                events, visitors.take(pa.array(rows)), time_us[rows], judge, Window(window.start_us, moment)
            )
            status[rows], label[rows], seen[rows] = found
            if moment > window.end_us:
                waits = rows[found.status <= len(CENSORED_BECAUSE)]  # what is about no instance stays so
                status[waits], label[waits] = STATUSES.index(WEEK_OPEN), CENSORED
    table = pa.table(
        {
            **{name: predictions.column(name) for name in OUTCOME_SCHEMA.names if name in predictions.column_names},
            "week_us": weeks,
            "status": pa.array(STATUSES, pa.string()).take(pa.array(status)),
            "label": pa.array(label, mask=label == CENSORED),
            "events_before": seen,
        }
    )
    table = pa.table({name: table.column(name).cast(OUTCOME_SCHEMA.field(name).type) for name in OUTCOME_SCHEMA.names})
    table = table.cast(OUTCOME_SCHEMA)
    order = [(VISITOR, "ascending"), ("time_us", "ascending"), ("version", "ascending"), ("prediction_id", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=order))


def judge_week(events: pa.Table, visitors: pa.Array, time_us: Ints, judge: Judge, window: Window) -> Verdict:
    """Returns what became of N predictions as of the end of ``window``.

    Args:
        events: with the column ``visitor``.
        visitors: string (N,).
        time_us: int64 (N,) when they were made.
        judge: of the version that made them.
        window: its end is the moment of judgement; later events are not looked at.
    """
    owners = events.column(VISITOR)
    theirs = pc.and_(
        pc.is_in(owners, visitors.unique()), pc.less(events.column("timestamp_us"), pa.scalar(window.end_us))
    )
    events = events.filter(theirs)
    if not events.num_rows:
        return _nothing(len(visitors))
    sessions, _ = build_sessions(events, judge.rules, window)
    codes, names = sessions.codes(VISITOR)
    code = pc.fill_null(pc.index_in(visitors, names.cast(pa.string())), -1).to_numpy(False).astype(np.int64)
    here = np.zeros(len(names), np.bool_)
    here[codes] = True
    gone = (code >= 0) & ~here[code]  # had events, but build_sessions dropped the visitor whole
    found = (code >= 0) & here[code]
    after, seen_any = _seen(sessions, code, time_us, found)
    return _answers(sessions, judge, after, found & seen_any, gone)


def _nothing(count: int) -> Verdict:
    status = np.full(count, STATUSES.index(NO_EVENTS), np.int8)
    return Verdict(status, np.full(count, CENSORED, np.int64), np.zeros(count, np.int64))


def _seen(
    sessions: Sessions, code: Ints, time_us: Ints, found: npt.NDArray[np.bool_]
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Returns one past the row of the last event before each prediction, and whether there is such an event."""
    codes, names = sessions.codes(VISITOR)
    runs = np.flatnonzero(np.diff(codes, prepend=-1))
    run_of = np.full(len(names) + 1, len(runs), np.int64)  # the last is of code -1
    run_of[codes[runs]] = np.arange(len(runs))
    run = np.where(found, run_of[code], len(runs))
    # Events and predictions in one line, predictions first where times are equal: they see what came before.
    kind = np.repeat([1, 0], (len(codes), len(run)))
    times = np.concatenate((sessions.time_us, time_us))
    line = np.lexsort((kind, times, np.concatenate((run_of[codes], run))))
    passed = np.cumsum(kind[line])
    after = np.empty(len(run), np.int64)
    after[line[kind[line] == 0] - len(codes)] = passed[kind[line] == 0]
    first = np.append(runs, len(codes))[run]
    return after, after > first


def _answers(
    sessions: Sessions, judge: Judge, after: Ints, found: npt.NDArray[np.bool_], gone: npt.NDArray[np.bool_]
) -> Verdict:
    count = len(after)
    after = np.where(found, after, 1)
    session = sessions.session_of[after - 1]
    first = sessions.offsets[session]
    hidden = np.zeros(sessions.events.num_rows, np.bool_)
    for name in judge.hides:
        hidden |= sessions.mask(event=name)
    visible = np.concatenate(([0], np.cumsum(~hidden)))
    begin = first + beginnings(sessions, session, after - first, judge.begins_after)

    slices = judge.generator.slices_of(sessions)
    place, about = _slices_about(sessions, slices, judge, after, session, visible)
    if len(slices):
        start = sessions.offsets[slices.session[place]] + slices.start[place]
        about &= visible[after] - visible[np.maximum(start, begin)] > 0
        label = np.where(about, slices.label[place], CENSORED)
    else:
        label = np.full(count, CENSORED, np.int64)
    running = _running(sessions, judge)[session]
    status = np.select(
        [gone, ~found, ~about, running, label == CENSORED],
        [STATUSES.index(why) for why in (OVER_LIMIT, NO_EVENTS, NO_INSTANCE, STILL_RUNNING, GENERATOR_CENSORED)],
        default=STATUSES.index(KNOWN),
    ).astype(np.int8)
    label = np.where(status == STATUSES.index(KNOWN), label, CENSORED)
    return Verdict(status, label, np.where(found, visible[after] - visible[begin], 0))


def _slices_about(
    sessions: Sessions, slices: Slices, judge: Judge, after: Ints, session: Ints, visible: Ints
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Returns for each prediction the place of its slice, and whether there is one."""
    if not len(slices):
        return np.zeros(len(after), np.int64), np.zeros(len(after), np.bool_)
    end = sessions.offsets[slices.session] + slices.end  # ascending: slices come by session, then by end
    start = sessions.offsets[slices.session] + slices.start
    if judge.generator.only_at_end:
        place = np.searchsorted(end, after, side="right") - 1
        about = place >= 0
        place = np.maximum(place, 0)
        about &= visible[end[place]] == visible[after]
    else:
        place = np.searchsorted(end, after, side="left")
        about = place < len(end)
        place = np.minimum(place, len(end) - 1)
        about &= start[place] < after
    return place, about & (slices.session[place] == session)


def _running(sessions: Sessions, judge: Judge) -> npt.NDArray[np.bool_]:
    """Says of each session whether it may go on after the window, so that its outcome may be still to come.

    Where all of a visitor's events are one session, the days to settle say how long is waited; a generator that answers
    at the end alone censors by its own horizon.
    """
    if judge.rules.gap_seconds is None or judge.generator.only_at_end:
        return np.zeros(len(sessions), np.bool_)
    last = sessions.time_us[sessions.offsets[1:] - 1]
    return last + round(judge.rules.gap_seconds * 1_000_000) >= sessions.window.end_us
