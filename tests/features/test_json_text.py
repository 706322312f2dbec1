import numpy as np
import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.json_text import json_lists, json_numbers, json_objects, json_pairs, json_strings, merge_objects

texts = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=6)


@given(texts)
def test_strings_are_read_back(values: list[str | None]):
    written = json_strings(pa.array(values, pa.string())).to_pylist()
    assert [None if text is None else orjson.loads(text) for text in written] == values


@given(st.lists(st.none() | st.floats()))
def test_finite_numbers_are_read_back(values: list[float | None]):
    written = json_numbers(pa.array(values, pa.float64())).to_pylist()
    finite = [value if value is not None and np.isfinite(value) else None for value in values]
    assert [None if text is None else orjson.loads(text) for text in written] == finite


def test_whole_numbers_have_no_point():
    assert json_numbers(pa.array([49.0, 1.5, -0.0, 2.0**60])).to_pylist() == ["49", "1.5", "0", "1.152921504606847e+18"]
    assert json_numbers(pa.array([2**60, None])).to_pylist() == [str(2**60), None]


def test_objects_leave_out_what_is_null():
    fields = {'a"': pa.array(["1", None, None]), "b": pa.array(['"x"', '"y"', None])}
    assert json_objects(fields).to_pylist() == ['{"a\\"":1,"b":"x"}', '{"b":"y"}', None]


def test_pairs_and_lists_of_each_row():
    offsets = np.array([0, 2, 2, 3, 4])
    keys, values = pa.array(["a", "b", "c", "d"]), pa.array(["1", None, "2", None])
    assert json_pairs(offsets, keys, values).to_pylist() == ['{"a":1}', None, '{"c":2}', None]
    assert json_lists(offsets, values).to_pylist() == ["[1]", None, "[2]", None]


def test_objects_are_merged():
    merged = merge_objects(
        pa.array(['{"a":1}', None, '{"ä":"{}"}', None]), pa.array(['{"b":2}', '{"c":3}', None, None])
    )
    assert merged.to_pylist() == ['{"a":1,"b":2}', '{"c":3}', '{"ä":"{}"}', None]
