"""The tables of the data warehouse, one JSON file each in ``features/tables``, which Terraform reads as well.

A file holds ``table`` (its name), ``description``, ``schema`` (BigQuery's fields), ``partitioning`` (``type``, and
``field``: the column whose day decides; null for the day of arrival), ``clustering`` (columns), and ``expiration_days``
of a partition (null: never).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
import pyarrow as pa

DAY = "day"
"""The column that a table is partitioned by; it is made when rows are written and is in no Arrow schema."""

NAMES = ("events", "predictions", "dead_letters")
"""Every table."""

_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.float32(): "FLOAT",
    pa.float64(): "FLOAT",
    pa.date32(): "DATE",
}
_SAME = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


@dataclass(frozen=True)
class Table:
    """A table of the warehouse.

    Attributes:
        name: of the table, without project and data set.
        fields: BigQuery's fields: dictionaries with ``name``, ``type``, ``mode`` and ``description``.
        partition_field: the DATE column that it is partitioned by; None for the day of arrival.
        clustering: columns that it is clustered by.
        expiration_days: days that a partition is kept; None for ever.
    """

    name: str
    fields: tuple[Mapping[str, Any], ...]
    partition_field: str | None
    clustering: tuple[str, ...]
    expiration_days: int | None

    def differences(self, found: Sequence[Mapping[str, Any]]) -> list[str]:
        """Says, a phrase each, where a table that exists differs from this one; further NULLABLE columns are no matter.

        Args:
            found: BigQuery's fields of the table that exists.
        """
        there = {field["name"]: field for field in found}
        wrong = []
        for field in self.fields:
            expected = _form(field)
            given = _form(there[field["name"]]) if field["name"] in there else None
            if given is None:
                wrong.append(f"column {field['name']!r} is missing, expected {expected}")
            elif given != expected:
                wrong.append(f"column {field['name']!r} is {given}, expected {expected}")
        names = {field["name"] for field in self.fields}
        more = [name for name, field in there.items() if name not in names and field.get("mode") == "REQUIRED"]
        return wrong + [f"column {name!r} is REQUIRED, but nothing is written to it" for name in more]


@cache
def load_table(name: str) -> Table:
    """Returns one of ``NAMES``."""
    found = orjson.loads((files("features") / "tables" / f"{name}.json").read_bytes())
    return Table(
        name=found["table"],
        fields=tuple(found["schema"]),
        partition_field=found["partitioning"]["field"],
        clustering=tuple(found["clustering"]),
        expiration_days=found["expiration_days"],
    )


def fields_of(schema: pa.Schema) -> list[dict[str, str]]:
    """Returns BigQuery's fields for rows in an Arrow schema: times stay INTEGER microseconds, lists are REPEATED.

    Raises:
        KeyError: a column of a type that no table has.
    """
    fields = []
    for field in schema:
        repeated = pa.types.is_list(field.type)
        mode = "REPEATED" if repeated else "NULLABLE" if field.nullable else "REQUIRED"
        fields.append(
            {"name": field.name, "type": _TYPES[field.type.value_type if repeated else field.type], "mode": mode}
        )
    return fields


def days_of(times_us: pa.Array) -> pa.Array:
    """Returns the day, date32 (N,), UTC, of times int64 (N,) in microseconds; null for null."""
    return times_us.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)


def _form(field: Mapping[str, Any]) -> str:
    kind = str(field["type"]).upper()
    return f"{_SAME.get(kind, kind)} {field.get('mode') or 'NULLABLE'}"
