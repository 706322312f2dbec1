"""The rows of a joined folder: what became of each prediction, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from features.errors import AuguryError
from features.storage import exists, list_files, open_filesystem, read_bytes
from models.behavior.metrics import Bools, Floats

OUTCOMES_CARD = "outcomes_card.json"
KNOWN = "known"
OPEN = frozenset({"week_open", "still_running", "censored_by_generator"})
"""Statuses of predictions whose answer is still to come."""

_SMALL = ("time_us", "week_us", "version", "known", "probability", "predicted", "status", "label", "visitor")


class OutcomesError(AuguryError, ValueError):
    """A folder that holds no outcomes, or a question that they cannot answer."""


@dataclass(frozen=True)
class Rows:
    """The outcomes of N predictions.

    Attributes:
        table: the columns.
    """

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def take(self, mask: Bools) -> "Rows":
        """Returns the rows where bool (N,) holds."""
        return Rows(self.table.filter(pa.array(mask)))

    @cached_property
    def scores(self) -> Floats:
        """float64 (N,): the probability that each prediction led with."""
        return np.clip(self.table.column("probability").to_numpy().astype(np.float64), 0, 1)

    @cached_property
    def positive(self) -> Bools:
        """Whether what each was of, bool (N,), came true; false where that is not known."""
        return np.asarray(
            pc.fill_null(pc.equal(self.table.column("label"), self.table.column("predicted")), False).to_numpy()
        )

    @cached_property
    def visitors(self) -> npt.NDArray[np.int64]:
        """int64 (N,) number of each prediction's visitor."""
        names = self.table.column("visitor").combine_chunks()
        return np.asarray(names.dictionary_encode().indices.to_numpy(), np.int64)

    @cached_property
    def weeks(self) -> npt.NDArray[np.int64]:
        """int64 (N,): the beginnings of their weeks."""
        return np.asarray(self.table.column("week_us").to_numpy())

    @cached_property
    def versions(self) -> npt.NDArray[np.object_]:
        """Text (N,)."""
        return _texts(self.table, "version")

    @cached_property
    def statuses(self) -> npt.NDArray[np.object_]:
        """Text (N,)."""
        return _texts(self.table, "status")

    @cached_property
    def known(self) -> Bools:
        """Whether there was something to predict from, bool (N,)."""
        return np.asarray(self.table.column("known").to_numpy(), np.bool_)


def read_card(folder: str) -> dict[str, Any]:
    """Returns the card of a joined folder.

    Raises:
        OutcomesError: the folder has none.
    """
    path = f"{folder.rstrip('/')}/{OUTCOMES_CARD}"
    if not exists(path):
        raise OutcomesError(f"{folder} has no {OUTCOMES_CARD}, so it holds no outcomes; make them with augury outcomes")
    card: dict[str, Any] = orjson.loads(read_bytes(path))
    return card


def read_rows(folder: str, card: Mapping[str, Any]) -> Rows:
    """Returns all outcomes of a folder, the columns that figures need.

    Raises:
        OutcomesError: files that the card names are not there.
    """
    return Rows(_read(folder, card, _SMALL, None))


def rows_of_visitor(folder: str, card: Mapping[str, Any], visitor: str) -> pa.Table:
    """Returns the outcomes of the visitors that a name stands or stood for, asked about by whatever name, by time."""
    named = (pc.field("visitor") == visitor) | (pc.field("asked") == visitor)
    owners = _read(folder, card, ("visitor",), named).column("visitor").unique()
    columns = ("visitor", "asked", "events_before", *_SMALL[:-1])
    table = _read(folder, card, columns, pc.field("visitor").isin(owners))
    return table.take(pc.sort_indices(table, sort_keys=[("time_us", "ascending"), ("version", "ascending")]))


def _read(folder: str, card: Mapping[str, Any], columns: Sequence[str], wanted: pc.Expression | None) -> pa.Table:
    base = folder.rstrip("/")
    named = [f"{base}/{name}" for name in card["files"]]
    there = {path.rsplit("/", 1)[-1] for path in list_files(f"{base}/outcomes-*.parquet")}
    missing = [name for name in card["files"] if name not in there]
    if missing or not named:
        raise OutcomesError(f"{folder} lacks {', '.join(missing) or 'files'}, which its card names; make it again")
    fs, _ = open_filesystem(base)
    paths = [open_filesystem(path)[1] for path in named]
    return ds.dataset(paths, format="parquet", filesystem=fs).to_table(columns=list(columns), filter=wanted)


def _texts(table: pa.Table, name: str) -> npt.NDArray[np.object_]:
    column = table.column(name).combine_chunks().dictionary_encode()
    return np.array([*column.dictionary.to_pylist(), ""], object)[column.indices.to_numpy()]
