import datetime
import decimal

import mmh3
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.rows import MALFORMED, LineRows, TableRows


def table(**columns: pa.Array) -> TableRows:
    return TableRows(columns, len(next(iter(columns.values()))))


def every(rows: TableRows) -> np.ndarray:
    return np.arange(rows.count)


def test_lines_are_measured_quoted_and_hashed_as_they_are():
    rows = LineRows([b"{}", b"\xffx", b"{}"])
    assert rows.sizes().tolist() == [2, 2, 2]
    assert rows.texts(np.array([1, 0])) == ["�x", "{}"]
    first, again = rows.ids(np.array([0, 2])).to_pylist()
    assert first == again == f"{mmh3.hash128(b'{}'):032x}"


def test_the_size_of_a_row_is_its_text_nested_or_not():
    rows = table(
        a=pa.array(["abc", None, "é"]),
        b=pa.array([b"12", b"", None]),
        n=pa.array([1, 2, 3]),
        s=pa.array([{"x": "1234"}, None, {"x": None}], pa.struct({"x": pa.string()})),
        items=pa.array([[{"x": "1"}, {"x": "22"}], None, []], pa.list_(pa.struct({"x": pa.string()}))),
    )
    assert rows.sizes().tolist() == [3 + 2 + 4 + 3, 0, 2]


def test_a_row_is_quoted_as_json_whatever_its_types():
    rows = table(
        text=pa.array([b"\xff"]).view(pa.string()),
        when=pa.array([datetime.date(2024, 5, 1)]),
        price=pa.array([decimal.Decimal("1.50")]),
        nano=pa.array([1_714_564_800_000_000_001], pa.timestamp("ns")),
        nothing=pa.nulls(1),
        nested=pa.array([[{"k": 1.5}]]),
    )
    (text,) = rows.texts(np.array([0]))
    assert text.startswith('{"text":"�","when":"2024-05-01","price":"1.50","nano":')
    assert text.endswith('"nothing":null,"nested":[{"k":1.5}]}')


def test_a_malformed_row_is_quoted_as_it_came():
    rows = table(**{"a": pa.array([b"1", None]), MALFORMED: pa.array([None, b'1,"'])})
    assert rows.texts(np.array([0, 1])) == ['{"a":"1"}', '1,"']


def test_equal_rows_have_equal_ids_and_others_do_not():
    rows = table(
        a=pa.array(["x", "x", "y", None, ""]), b=pa.array([1, 1, 1, 1, 1]), c=pa.array([[1], [1], [1], [1], [1]])
    )
    ids = rows.ids(every(rows)).to_pylist()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(len(text) == 32 and set(text) <= set("0123456789abcdef") for text in ids)


def test_values_that_change_places_make_another_id():
    first = table(a=pa.array(["x"]), b=pa.array(["y"]))
    swapped = table(a=pa.array(["y"]), b=pa.array(["x"]))
    reordered = table(b=pa.array(["y"]), a=pa.array(["x"]))
    assert first.ids(every(first)) != swapped.ids(every(swapped))
    assert first.ids(every(first)) == reordered.ids(every(reordered))


cells = st.none() | st.text(alphabet="ab", max_size=2)


@given(st.lists(st.tuples(cells, cells, st.none() | st.integers(0, 3)), min_size=1, max_size=30))
def test_ids_are_equal_exactly_where_rows_are(rows: list[tuple]):
    given_rows = table(
        a=pa.array([row[0] for row in rows], pa.string()),
        b=pa.array([row[1] for row in rows], pa.string()),
        c=pa.array([row[2] for row in rows], pa.int64()),
    )
    ids = given_rows.ids(every(given_rows)).to_pylist()
    for i, row in enumerate(rows):
        assert [other == row for other in rows] == [text == ids[i] for text in ids]
