"""Names of tables and queries, and what they are taken apart into."""

from datetime import date

import pytest

from transforms.bigquery_names import (
    QuerySource,
    TableError,
    TableName,
    TableSource,
    is_bigquery,
    read_source,
    table_name,
    table_reference,
)

SHOP = TableName("my-shop", "web", "events")


@pytest.mark.parametrize("name", ["bq://events", "bq://p.d", "project:dataset.table", "bq://p.d.t.x", "bq://p.d.t; x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(TableError, match="names no BigQuery table; expected bq://project.dataset.table"):
        table_reference(name)


def test_names_of_tables() -> None:
    assert table_name("bq://my-shop.web.events") == SHOP
    assert table_reference("bq://my-shop.web.events") == "my-shop:web.events"
    assert table_reference("bq://example.com:shop.web.events") == "example.com:shop:web.events"
    assert SHOP.dotted == "my-shop.web.events"
    assert SHOP.resource == "projects/my-shop/datasets/web/tables/events"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bq://my-shop.web.events", TableSource(SHOP)),
        (
            "bq://my-shop.web.events?from=2026-01-01&to=2026-01-31",
            TableSource(SHOP, first=date(2026, 1, 1), last=date(2026, 1, 31)),
        ),
        (
            "bq://my-shop.web.events_*?to=2026-01-31",
            TableSource(TableName("my-shop", "web", "events_"), True, None, date(2026, 1, 31)),
        ),
        (
            "bq://my-shop.web.events?from=2026-01-01&where=source = 'a=b' AND url LIKE '%?x&y'",
            TableSource(SHOP, first=date(2026, 1, 1), where="source = 'a=b' AND url LIKE '%?x&y'"),
        ),
        ("bq-query://my-shop/queries/web.sql", QuerySource("my-shop", "queries/web.sql")),
        ("bq-query://my-shop/gs://bucket/web.sql?by=beam", QuerySource("my-shop", "gs://bucket/web.sql", True)),
    ],
)
def test_what_is_read(name: str, expected: TableSource | QuerySource) -> None:
    assert is_bigquery(name)
    assert read_source(name) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "bq://events",
            "names no BigQuery table; expected bq://project.dataset.table, or bq://project.dataset.events_",
        ),
        ("bq://p.d.ev*ents", "names no BigQuery table"),
        ("bq://p.d.t?from=yesterday", "has from=yesterday; expected a day such as 2026-01-31"),
        ("bq://p.d.t?from=2026-02-01&to=2026-01-01", "reads from 2026-02-01 to 2026-01-01; expected the earlier day"),
        ("bq://p.d.t?since=2026-02-01", "has the option 'since'; expected from=2026-01-01&to=2026-01-31"),
        ("bq://p.d.t?from=2026-02-01&from=2026-02-02", "has the option 'from'"),
        ("bq://p.d.t?where= ", "has an empty condition"),
        ("bq-query://shop", "names no query; expected bq-query://project/path/of/query.sql"),
        ("bq-query://shop/q.sql?from=2026-01-01", "a query has none but by=beam"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, message: str) -> None:
    with pytest.raises(TableError) as refused:
        read_source(name)
    assert message in str(refused.value)


def test_a_file_is_not_in_bigquery() -> None:
    assert not any(map(is_bigquery, ["events.parquet", "gs://bucket/events", "bq/events.parquet"]))
