"""Adapters by name: each turns the rows of one kind of source into canonical events and dead letters."""

from typing import Protocol

import pyarrow as pa

from features.canonical import CanonicalAdapter
from features.errors import AuguryError
from features.events import Adapted
from features.ga4 import Ga4Adapter
from features.mapping import MappingAdapter
from features.mapping_file import load_mapping
from features.segment import SegmentAdapter

ADAPTERS = ("segment", "ga4", "canonical")
"""The adapters that need no mapping file."""


class AdapterError(AuguryError, ValueError):
    """An adapter that does not exist."""


class Adapter(Protocol):
    """Turns rows of a source into canonical events; small, frozen and picklable."""

    @property
    def name(self) -> str:
        """The name it goes by in dataset cards."""

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns the columns of a table that must be read so that events have the ``wanted`` ones; None for all."""

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts N rows.

        Args:
            rows: binary or string array of JSON lines, or a table from Parquet or CSV.
            source: the file they came from, for dead letters and errors.

        Returns:
            Every row in exactly one of events and rejected. No row raises.

        Raises:
            RowsError: rows of the other kind (lines, table).
            ColumnsError: the table lacks a column, or has it in a type that cannot be read.
        """


def get_adapter(name_or_mapping_path: str, now_us: int | None = None) -> Adapter:
    """Returns an adapter by its name, or the one that a mapping file (``.toml``) describes.

    Args:
        name_or_mapping_path: one of ``ADAPTERS``, or the path of a mapping file, local or on ``gs://``.
        now_us: when the data is read; events more than a day later are refused. None: only times after 2100.

    Raises:
        AdapterError: no such adapter.
        MappingError: the mapping file cannot be read or has a mistake.
    """
    if name_or_mapping_path == "segment":
        return SegmentAdapter(now_us)
    if name_or_mapping_path == "ga4":
        return Ga4Adapter(now_us)
    if name_or_mapping_path == "canonical":
        return CanonicalAdapter(now_us)
    if name_or_mapping_path.endswith(".toml"):
        return MappingAdapter(load_mapping(name_or_mapping_path), now_us)
    raise AdapterError(
        f"no adapter {name_or_mapping_path!r}; expected one of {', '.join(ADAPTERS)}, or the path of a mapping file "
        "ending in .toml"
    )
