"""Iterators read at once: everything comes, each in its order, and no further ahead than it should be."""

import threading
from collections.abc import Iterator

import pytest

from transforms.side_by_side import side_by_side


def test_everything_comes_and_each_source_in_its_order() -> None:
    sources = [range(50), range(100, 103), range(200, 200), range(300, 310), range(400, 401)]
    for at_once in (1, 2, 7):
        found = list(side_by_side([iter(source) for source in sources], at_once))
        for source in sources:
            assert [each for each in found if each in source] == list(source)
        assert len(found) == 64
    assert list(side_by_side([], 2)) == []


def test_sources_are_read_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def meeting(number: int) -> Iterator[int]:
        both.wait()  # broken unless the other is being read too
        yield number

    assert sorted(side_by_side([meeting(1), meeting(2)], 2)) == [1, 2]


def test_nobody_reads_further_ahead_than_one_item() -> None:
    read: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    found = side_by_side([counting()], 2)
    assert next(found) == 0
    assert next(found) == 1
    assert len(read) <= 3
    found.close()
    assert len(read) <= 3  # whoever stops early leaves nobody reading on


def test_an_error_of_any_source_is_raised() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(side_by_side([iter(range(2, 1000)), failing()], 2))
