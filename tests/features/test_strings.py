import threading

import numpy as np
import pyarrow as pa

from features.strings import Names, StringTable


def _table(seen: list[str | None]) -> StringTable:
    def describe(text: str | None) -> tuple[list[int], tuple[int, ...]]:
        seen.append(text)
        return ([1, 2] if text and "x" in text else []), (len(text or ""),)

    return StringTable(describe, 1, threading.Lock())


def test_every_string_is_described_once_and_null_has_a_row() -> None:
    seen: list[str | None] = []
    table = _table(seen)
    assert table.rows(pa.array(["ax", "b"])).tolist() == [0, 1, 2]
    assert table.rows(pa.array(["b", "cx", "b"])).tolist() == [1, 3, 1, 2]
    assert seen == ["ax", "b", None, "cx"]
    assert table.column(0, np.array([0, 1, 2, 3])).tolist() == [2, 1, 0, 2]


def test_strings_with_the_same_buckets_share_a_profile() -> None:
    table = _table([])
    rows = table.rows(pa.array(["ax", "b", "cx"]))
    assert table.profile(rows).tolist() == [0, 1, 0, 1]
    buckets, offsets = table.buckets()
    assert (buckets.tolist(), offsets.tolist(), table.profiles) == ([1, 2], [0, 2, 2], 2)


def test_table_grows_past_its_first_room() -> None:
    table = _table([])
    texts = ["y" * (i % 50) + str(i) for i in range(3000)]
    for start in range(0, 3000, 700):
        table.rows(pa.array(texts[start : start + 700]))
    assert table.column(0, table.rows(pa.array(texts)))[:-1].tolist() == [len(text) for text in texts]


def test_names_are_numbered_in_order() -> None:
    names = Names()
    assert [names.number(name) for name in ("b", "a", "b")] == [0, 1, 0]
    assert names.listed() == ["b", "a"]
