"""The names of what is read from and written to in BigQuery, taken apart and checked. Plain text, no client."""

import re
from dataclasses import dataclass
from datetime import date

from features.errors import AuguryError

TABLES, QUERY = "bq://", "bq-query://"
"""What the name of a table, and of a file with a query, begins with."""

_PROJECT = r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*"
_TABLE = re.compile(rf"bq://({_PROJECT})\.(\w+)\.([\w-]+)")
_SOURCE = re.compile(rf"bq://({_PROJECT})\.(\w+)\.([\w-]+?)(\*?)(?:\?(.*))?", re.DOTALL)
_QUERY = re.compile(rf"bq-query://({_PROJECT})/([^?]+)(?:\?(.*))?")
_EXPECTED = "bq://project.dataset.table, or bq://project.dataset.events_* for daily tables"
_OPTIONS = "from=2026-01-01&to=2026-01-31, each if wanted, and last where=CONDITION"


class TableError(AuguryError, ValueError):
    """The name of a table that cannot be."""


@dataclass(frozen=True)
class TableName:
    """A table, by its full name."""

    project: str
    dataset: str
    table: str

    @property
    def beam(self) -> str:
        """Beam's form of the name."""
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def dotted(self) -> str:
        """The form of the name in messages and for the REST client."""
        return f"{self.project}.{self.dataset}.{self.table}"

    @property
    def resource(self) -> str:
        """The Storage API's form of the name."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"


@dataclass(frozen=True)
class TableSource:
    """Tables to read.

    Attributes:
        table: the table; of a wildcard, ``table.table`` is the prefix that a day (``YYYYMMDD``) follows.
        daily: whether it is a wildcard of daily tables.
        first: the first day to read; None for the earliest there is.
        last: the last day to read, included; None for the latest there is.
        where: a condition of BigQuery's SQL on the columns of a row; "" for none.
    """

    table: TableName
    daily: bool = False
    first: date | None = None
    last: date | None = None
    where: str = ""


@dataclass(frozen=True)
class QuerySource:
    """A query whose result is to be read.

    Attributes:
        project: that pays for it.
        path: of the file with its text, local or on ``gs://``.
        by_beam: read by Beam's own source instead of the Storage Read API.
    """

    project: str
    path: str
    by_beam: bool = False


def is_bigquery(pattern: str) -> bool:
    """Says whether a pattern of events names something in BigQuery."""
    return pattern.lower().startswith((TABLES, QUERY))


def table_name(name: str) -> TableName:
    """Returns the table that ``bq://project.dataset.table`` names.

    Raises:
        TableError: it has another form.
    """
    found = _TABLE.fullmatch(name)
    if found is None:
        raise TableError(f"{name!r} names no BigQuery table; expected bq://project.dataset.table")
    return TableName(*found.groups())


def table_reference(name: str) -> str:
    """Returns Beam's form of ``bq://project.dataset.table``.

    Raises:
        TableError: it has another form.
    """
    return table_name(name).beam


def read_source(name: str) -> TableSource | QuerySource:
    """Takes the name of a source apart: ``bq://...`` with its options, or ``bq-query://project/file.sql``.

    Raises:
        TableError: it has another form, or an option that cannot be.
    """
    if name.startswith(QUERY):
        found = _QUERY.fullmatch(name)
        if found is None:
            raise TableError(f"{name!r} names no query; expected bq-query://project/path/of/query.sql")
        if found[3] not in (None, "by=beam"):
            raise TableError(f"{name!r} has the option {found[3]!r}; a query has none but by=beam")
        return QuerySource(found[1], found[2], found[3] is not None)
    found = _SOURCE.fullmatch(name)
    if found is None:
        raise TableError(f"{name!r} names no BigQuery table; expected {_EXPECTED}")
    project, dataset, table, star, rest = found.groups()
    given = _options(name, rest or "")
    first, last = (_day(name, key, given[key]) if key in given else None for key in ("from", "to"))
    if first is not None and last is not None and first > last:
        raise TableError(f"{name!r} reads from {first} to {last}; expected the earlier day first")
    if "where" in given and not given["where"].strip():
        raise TableError(f"{name!r} has an empty condition; write it after where=, or leave that out")
    return TableSource(TableName(project, dataset, table), bool(star), first, last, given.get("where", "").strip())


def _options(name: str, text: str) -> dict[str, str]:
    """Returns the options; a condition may hold any sign, so it comes last and is taken as it is."""
    given: dict[str, str] = {}
    while text:
        key, equals, value = text.partition("=")
        if not equals or key not in ("from", "to", "where") or key in given:
            raise TableError(f"{name!r} has the option {key!r}; expected {_OPTIONS}")
        if key == "where":
            given[key] = value
            break
        given[key], _, text = value.partition("&")
    return given


def _day(name: str, key: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as e:
        raise TableError(f"{name!r} has {key}={text}; expected a day such as 2026-01-31") from e
