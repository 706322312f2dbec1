"""Conversions from tables of counts and of events, and what is refused."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.conversions import (
    CONVERSION_SCHEMA,
    COUNTS,
    KEYS,
    MOST,
    SIMULATED,
    ConversionsError,
    adapt_conversions,
    sum_conversions,
)
from features.conversions_tables import read_conversions, simulation_of


def read(text: str | bytes, **columns: str) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    data = text.encode() if isinstance(text, str) else text
    kept: list[dict[str, Any]] = []
    rejected: list[tuple[str, str]] = []
    for adapted in read_conversions(io.BytesIO(data), "t.csv", columns):
        kept += adapted.rows.to_pylist()
        rejected += [(row["reason"], row["row"]) for row in adapted.rejected.to_pylist()]
    return kept, rejected


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_counts_are_read_and_what_is_not_recorded_is_null() -> None:
    kept, rejected = read(
        "product,variant,campaign,sent,opened,clicked\np1, brighter ,spring,100,40,\np2,dark,s,5,0.0,1\n"
    )
    assert rejected == []
    assert {name: kept[0][name] for name in (*KEYS, *COUNTS, "recipient")} == {
        "product": "p1", "variant": "brighter", "campaign": "spring", "campaign_type": "", "industry": "", "brand": "",
        "gender": "", "kind": "", "sent": 100, "opened": 40, "clicked": None, "abandoned": None, "unsubscribed": None,
        "recipient": None,
    }  # fmt: skip
    assert (kept[1]["opened"], kept[1]["clicked"]) == (0, 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",v,10,1,1,0,0", "no_product"),
        ("p,,10,1,1,0,0", "no_variant"),
        ("p,v,ten,1,1,0,0", "bad_number"),
        ("p,v,10,1.5,1,0,0", "bad_number"),
        ("p,v,10,99999999999999999999,1,0,0", "bad_number"),
        ("p,v,10,-1,1,0,0", "negative_count"),
        ("p,v,-10,1,1,0,0", "negative_count"),
        ("p,v,0,0,0,0,0", "no_sends"),
        ("p,v,,1,1,0,0", "no_sends"),
        ("p,v,10,,,,", "nothing_counted"),
        ("p,v,10,11,1,0,0", "opened_more_than_sent"),
        ("p,v,10,1,11,0,0", "clicked_more_than_sent"),
        ("p,v,10,5,1,2,0", "abandoned_more_than_clicked"),
        ("p,v,10,5,1,0,11", "unsubscribed_more_than_sent"),
        ("p,v,10", "wrong_columns"),
    ],
)
def test_a_row_that_cannot_be_is_a_dead_letter(row: str, reason: str) -> None:
    head = "product,variant,sent,opened,clicked,abandoned,unsubscribed\n"
    kept, rejected = read(f"{head}p,v,10,5,4,3,1\n{row}\n")
    assert len(kept) == 1
    assert rejected == [(reason, row)]


def test_events_are_rows_of_one_count_each() -> None:
    kept, rejected = read(
        "product,variant,campaign,event,recipient\np,v,c,email_sent,ann\np,v,c,email_open,ann\np,v,c,bounce,ann\n"
    )
    assert rejected == [("unknown_event", "p,v,c,bounce,ann")]
    assert [[row[name] for name in COUNTS] for row in kept] == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert kept[0]["recipient"] == kept[1]["recipient"] is not None


def test_of_one_recipient_an_event_counts_once_and_of_nobody_every_time() -> None:
    rows = ["product,variant,campaign,event,recipient"]
    rows += [f"p,v,c,email_sent,{who}" for who in ("ann", "bob", "eve")]
    rows += ["p,v,c,email_open,ann", "p,v,c,email_open,ann", "p,v,c,email_open,bob", "p,v,c,click,bob"]
    rows += ["p,v,d,email_sent,", "p,v,d,email_sent,"]
    batches = [adapted.rows for adapted in read_conversions(io.BytesIO("\n".join(rows).encode()), "t.csv")]
    found = sum_conversions(batches, recorded=("sent", "opened", "clicked"))
    assert found.schema == CONVERSION_SCHEMA
    assert [[row[name] for name in ("campaign", *COUNTS)] for row in found.to_pylist()] == [
        ["c", 3, 2, 1, None, None],
        ["d", 2, 0, 0, None, None],
    ]


def test_counts_of_one_key_are_added_and_what_one_row_lacks_is_null() -> None:
    text = "product,variant,campaign,sent,opened,clicked\np,v,c,10,4,1\np,v,c,20,5,\np,w,c,1,1,1\n"
    [adapted] = read_conversions(io.BytesIO(text.encode()), "t.csv")
    found = sum_conversions([adapted.rows]).to_pylist()
    assert [[row["variant"], *(row[name] for name in COUNTS)] for row in found] == [
        ["v", 30, 9, None, None, None],
        ["w", 1, 1, 1, None, None],
    ]


def test_parquet_of_any_types_is_read_and_says_that_it_was_simulated() -> None:
    table = pa.table(
        {
            "sku": [17, 18],
            "variant": pa.array(["v", "w"]).dictionary_encode(),
            "sent": pa.array([10.0, 20.0]),
            "opened": pa.array([4.0, None]),
            "clicked": pa.array([1, 2], pa.int32()),
            "truth_open_rate": [0.4, 1e-05],
            "extra": [None, None],
        }
    )
    kept, rejected = read(parquet(table), product="sku")
    assert rejected == []
    assert [[row[name] for name in ("product", "variant", "sent", "opened", "clicked")] for row in kept] == [
        ["17", "v", 10, 4, 1],
        ["18", "w", 20, None, 2],
    ]
    assert [row["truth_open_rate"] for row in kept] == [0.4, 1e-05]
    assert simulation_of(io.BytesIO(parquet(table))) is None
    assert simulation_of(io.BytesIO(parquet(table.replace_schema_metadata({SIMULATED: b"paper"})))) == "paper"
    assert simulation_of(io.BytesIO(b"product,variant\n")) is None


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", {}, "t.csv is empty; expected a header such as product,variant,campaign,sent,opened"),
        ("sku,variant,sent\n", {}, r"t.csv has no column 'product' \(it has sku, variant, sent\); map it"),
        ("product,variant\n", {}, "t.csv has neither a column 'sent' with counts nor a column 'event'"),
        ("product,variant,sent\n", {"sent": "n"}, "t.csv has no column 'n'"),
        ("product,variant,sent\n", {"price": "n"}, "columns of t.csv name 'price'; expected one of product, "),
        (b"PAR1 and nothing more", {}, "t.csv is a damaged Parquet table"),
        (b"product,variant,sent\n\xff,v,1\n", {}, "t.csv is a damaged CSV table"),
    ],
)
def test_a_table_that_cannot_be_is_refused(text: str | bytes, columns: dict[str, str], message: str) -> None:
    with pytest.raises(ConversionsError, match=message):
        read(text, **columns)


def test_a_header_alone_is_no_conversions() -> None:
    assert read("product,variant,sent,opened\n") == ([], [])


NUMBERS = st.one_of(st.integers(-3, 9).map(str), st.just(""), st.text(max_size=3))


@given(st.lists(st.tuples(*[NUMBERS] * 5), max_size=8))
def test_every_row_is_kept_or_rejected_and_what_is_kept_can_be(rows: list[tuple[str, ...]]) -> None:
    columns = [pa.array([row[number] for row in rows], pa.string()) for number in range(5)]
    keys = [pa.array(["x"] * len(rows), pa.string())] * 2
    adapted = adapt_conversions(pa.RecordBatch.from_arrays([*keys, *columns], ["product", "variant", *COUNTS]), "t")
    assert adapted.rows.num_rows + adapted.rejected.num_rows == len(rows)
    for row in adapted.rows.to_pylist():
        assert row["sent"] > 0
        for count, among in MOST.items():
            assert row[count] is None or 0 <= row[count]
            assert row[count] is None or row[among] is None or row[count] <= row[among]
