import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.ragged import changes, offsets_of, places_of, take_lists


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6), st.data())
def test_take_lists_is_indexing(lists: list[list[int]], data: st.DataObject) -> None:
    picks = data.draw(st.lists(st.sampled_from(range(len(lists))), max_size=8)) if lists else []
    flat = np.array([item for each in lists for item in each], np.int64)
    offsets = offsets_of(np.array([len(each) for each in lists], np.int64))
    taken, lengths = take_lists(flat, offsets, np.array(picks, np.int64))
    assert taken.tolist() == [item for pick in picks for item in lists[pick]]
    assert lengths.tolist() == [len(lists[pick]) for pick in picks]


def test_places_by_hand() -> None:
    assert places_of(np.array([7, 0, 3]), np.array([2, 0, 3])).tolist() == [7, 8, 3, 4, 5]
    assert offsets_of(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]


@given(st.lists(st.integers(-(2**40), 2**40), max_size=6), st.integers(-5, 5))
def test_changes_are_numpys_differences(values: list[int], before: int) -> None:
    array = np.array(values, np.int64)
    assert changes(array, before).tolist() == np.diff(array, prepend=before).tolist()
