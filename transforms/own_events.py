"""Says whose each event is and leaves out what a fast store would not hold, before anything crosses the shuffle."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import plain
from features.consent import AGREES, OPTED_OUT, REFUSES, stated_consent
from features.contacts import hashed_emails
from features.identities import REQUIRED_COLUMNS, Identities, logins, received_us
from features.recent_events import MAX_ID_BYTES, RESERVED_PREFIX, RecentRules
from features.sessions import VISITOR, Window
from transforms.tally import TALLY, Tally, count

RECENT, REFUSED, EMAIL = "recent", "consent_refused", "email_sha256"
"""Columns that are added: bool, whether the event counts for a prediction; bool, whether consent stated in it is
refused (null: not stated); text, the hash of an e-mail address that it tells."""

KEPT_COLUMNS = ("timestamp_us", "received_at_us", "message_id")


@dataclass(frozen=True)
class OwnRules:
    """What a fast store that is asked at the end of the window would hold.

    Attributes:
        recent: what the store keeps of a visitor.
        emails: whether hashed e-mail addresses are looked for.
        consent_categories: see ``features.consent.opted_out``.
    """

    recent: RecentRules
    emails: bool = False
    consent_categories: tuple[str, ...] = ()

    def required_columns(self) -> tuple[str, ...]:
        """Returns the event columns that are looked at."""
        return *REQUIRED_COLUMNS, "context"


class FindLogins(beam.PTransform):
    """``RecordBatch`` of events -> ``RecordBatch`` in ``LOGIN_SCHEMA``, see ``features.identities.logins``."""

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        return events | "DistinctLogins" >> beam.FlatMap(_found_logins).with_output_types(pa.RecordBatch)


def replayed_logins(pipeline: beam.Pipeline, events: beam.PCollection) -> beam.pvalue.AsSingleton:
    """Returns the side input ``Identities``: who is whom after all logins among events."""
    found = events | "FindLogins" >> FindLogins()
    return beam.pvalue.AsSingleton(
        pipeline
        | "LinkOnce" >> beam.Create([None], reshuffle=False)
        | "ReplayLogins" >> beam.Map(lambda _, parts: Identities.of(parts), beam.pvalue.AsList(found))
    )


class OwnEvents(beam.PTransform):
    """``RecordBatch`` of events -> (the same with four columns more; ``Tally`` under the tag ``TALLY``).

    The columns are ``visitor``, ``RECENT``, ``REFUSED`` and ``EMAIL``. Events that tell nothing are left out and
    counted by their reason.

    Args:
        rules: what a store would hold.
        columns: event columns to carry.
        window: singleton side input, ``Window``; a store is asked at its end.
        identities: singleton side input, ``Identities``; None where logins link nobody.
    """

    def __init__(
        self,
        rules: OwnRules,
        columns: tuple[str, ...],
        window: beam.pvalue.AsSingleton,
        identities: beam.pvalue.AsSingleton | None,
    ) -> None:
        super().__init__()
        self._owner = _Own(rules, columns)
        self._inputs = (window,) if identities is None else (window, identities)

    def expand(self, events: beam.PCollection) -> Any:
        return events | "ChooseEvents" >> beam.ParDo(self._owner, *self._inputs).with_outputs(TALLY, main="events")


class _Own(beam.DoFn):
    def __init__(self, rules: OwnRules, columns: tuple[str, ...]) -> None:
        self._rules, self._columns = rules, columns

    def process(
        self, element: pa.RecordBatch, window: Window, identities: Identities | None = None
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        owned, dropped = own_events(element, self._rules, self._columns, window, identities or Identities())
        yield beam.pvalue.TaggedOutput(TALLY, Tally(count("dropped", dropped)))
        if owned.num_rows:
            yield owned


def own_events(
    events: pa.RecordBatch, rules: OwnRules, columns: tuple[str, ...], window: Window, identities: Identities
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Returns the events that tell something of their visitor, and how many others were left out, by reason.

    Args:
        events: (N,) with ``rules.required_columns()`` and ``columns``.
        rules: what a store would hold.
        columns: event columns to carry.
        window: a store is asked at its end.
        identities: whose each event is.
    """
    time_us = events.column("timestamp_us").to_numpy()
    anonymous, user = plain(events.column("anonymous_id")), plain(events.column("user_id"))
    reserved = pc.starts_with(anonymous, RESERVED_PREFIX).to_numpy(False)
    reserved &= ~pc.fill_null(pc.equal(anonymous, user), False).to_numpy(False)
    refused = reserved | _too_long(anonymous) | _too_long(user) | _too_long(plain(events.column("message_id")))
    later = time_us >= window.end_us
    consent = stated_consent(events.column("context"), rules.consent_categories)
    opted_out = pc.fill_null(pc.equal(consent, REFUSES), False).to_numpy(False)
    kept = pc.is_in(plain(events.column("type")), pa.array(rules.recent.types)).to_numpy(False)
    outdated = time_us < rules.recent.horizon_us(window.end_us)

    reasons = np.select(
        [refused, later, opted_out, ~kept, outdated],
        ["refused_id", "after_window", OPTED_OUT, "not_kept_type", "outdated"],
        default="",
    )
    recent = reasons == ""
    emails = hashed_emails(events) if rules.emails else pa.nulls(len(events), pa.string())
    tells = recent | ((opted_out | emails.is_valid().to_numpy(False)) & ~refused & ~later)
    added = {
        RECENT: pa.array(recent),
        REFUSED: pc.not_equal(consent, AGREES),
        EMAIL: pc.if_else(pa.array(opted_out), pa.scalar(None, pa.string()), emails),
    }
    carried = {name: events.column(name) for name in dict.fromkeys((*KEPT_COLUMNS, *columns))}
    carried["received_at_us"] = received_us(events)
    owned = pa.RecordBatch.from_pydict({VISITOR: identities.of_events(events), **carried, **added})
    dropped = Counter(reasons[~recent].tolist())
    return owned.filter(pa.array(tells)), {str(reason): number for reason, number in dropped.items()}


def _found_logins(events: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    found = logins(events)
    if found.num_rows:
        yield found


def _too_long(texts: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.fill_null(pc.greater(pc.binary_length(texts), MAX_ID_BYTES), False).to_numpy(
        False
    )
    return found
