"""JSON text, a column at a time: values, objects and lists are put together from arrays of text."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc


def json_strings(texts: pa.Array) -> pa.Array:
    """Returns strings (N,) as JSON strings; every distinct one is written once."""
    encoded = texts.dictionary_encode()
    written = pa.array([orjson.dumps(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return written.take(encoded.indices)


def json_numbers(numbers: pa.Array) -> pa.Array:
    """Returns numbers (N,) as JSON numbers, null where there is none or it is not finite."""
    if pa.types.is_floating(numbers.type):
        numbers = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, numbers.type))
        whole = pc.and_(pc.equal(pc.trunc(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
        integers = pc.cast(pc.if_else(whole, numbers, pa.scalar(None, numbers.type)), pa.int64())
        return pc.coalesce(integers.cast(pa.string()), numbers.cast(pa.string()))
    return numbers.cast(pa.string())


def json_objects(fields: Mapping[str, pa.Array]) -> pa.Array:
    """Returns N JSON objects of fields whose values are JSON text (N,) or null; null where no field has a value."""
    parts = [
        pc.binary_join_element_wise(f"{orjson.dumps(key).decode()}:", column, "") for key, column in fields.items()
    ]
    if not parts:
        raise ValueError("an object of no fields has no length")
    return _wrap(_join_across(parts), "{", "}")


def json_pairs(offsets: npt.NDArray[np.int64], keys: pa.Array, values: pa.Array) -> pa.Array:
    """Returns N JSON objects of keys (K,) and values (K,) that are JSON text or null, or null where none has a value.

    Args:
        offsets: int64 (N + 1,); object i has pairs ``offsets[i]`` to ``offsets[i + 1] - 1``.
        keys: strings.
        values: JSON text; a pair without a value is left out.
    """
    pairs = pc.binary_join_element_wise(json_strings(keys), values, ":")
    return _wrap(_join(offsets, pairs), "{", "}")


def json_lists(offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    """Returns N JSON lists of items (K,) that are JSON text, nulls left out; null where a list has none."""
    return _wrap(_join(offsets, items), "[", "]")


def merge_objects(*objects: pa.Array) -> pa.Array:
    """Returns N JSON objects with the fields of all; null where all are null. A later field of a name stands."""
    inner = [pc.utf8_slice_codeunits(each, 1, -1) for each in objects]
    return _wrap(_join_across(inner), "{", "}")


def _join_across(parts: list[pa.Array]) -> pa.Array:
    """Returns the parts of each row joined by commas, nulls left out, "" for none.

    The empty first part keeps rows whose parts are all null: Arrow 25 leaves such rows out of its result.
    """
    joined = pc.binary_join_element_wise("", *parts, ",", null_handling="skip")
    return pc.utf8_slice_codeunits(joined, 1)


def _join(offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    """Returns the items of each list joined by commas, "" for none."""
    if items.null_count:
        valid = items.is_valid()
        counts = np.concatenate([[0], np.cumsum(valid.to_numpy(False))])
        offsets, items = counts[offsets], items.filter(valid)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items), ",")


def _wrap(inner: pa.Array, left: str, right: str) -> pa.Array:
    wrapped = pc.binary_join_element_wise(left, inner, right, "")
    return pc.if_else(pc.equal(pc.binary_length(inner), 0), pa.scalar(None, pa.string()), wrapped)
