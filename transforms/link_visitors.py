"""Links anonymous ids to the user that a login names, so that a person's devices become one visitor."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

Link = tuple[str, str]
"""An anonymous id and a user id that stood in one event."""


class FindLinks(beam.PTransform):
    """``RecordBatch`` -> distinct ``Link`` of each batch."""

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        return events | "DistinctPairs" >> beam.FlatMap(distinct_links)


def distinct_links(events: pa.RecordBatch) -> Iterator[Link]:
    """Yields the distinct pairs of anonymous id and user id in a batch."""
    known = events.filter(pc.is_valid(events.column("user_id")))
    pairs = pa.table({name: known.column(name).cast(pa.string()) for name in ("anonymous_id", "user_id")})
    for pair in pairs.group_by(["anonymous_id", "user_id"]).aggregate([]).to_pylist():
        yield pair["anonymous_id"], pair["user_id"]


def resolve_links(links: Iterable[Link]) -> dict[str, str]:
    """Returns anonymous id -> visitor for the ids that one login links.

    An anonymous id seen with several user ids is a shared device: it is left as it is, since its events are not one
    person's. The visitor of a linked id is ``user:<user_id>``, so that no anonymous id can pass for a user.
    """
    users: dict[str, set[str]] = {}
    for anonymous_id, user_id in links:
        users.setdefault(anonymous_id, set()).add(user_id)
    return {anonymous_id: f"user:{min(found)}" for anonymous_id, found in users.items() if len(found) == 1}
