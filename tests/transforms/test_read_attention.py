"""Tasks divided among workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.read_attention import deal


def test_the_longest_tasks_are_given_away_first() -> None:
    # 6 goes to the first worker, 4 and then 1 (a tie of 5 to 6 lost) to the second, the other 1 to the second as well
    assert deal([1, 6, 1, 4], 2) == [[1], [0, 2, 3]]


def test_elements_are_dealt_in_turn_and_hold_few_tasks() -> None:
    # workers 0 and 1 have the even and the odd tasks; two elements each
    assert deal([1.0] * 8, 2, at_once=2) == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert deal([1.0] * 5, 1, at_once=2) == [[0, 1], [2, 3], [4]]


def test_workers_without_a_task_get_empty_elements() -> None:
    assert deal([1.0], 3) == [[0], [], []]
    assert deal([], 2) == [[], []]


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 8), st.integers(1, 9))
def test_every_task_is_dealt_once_and_no_worker_has_much_more_than_its_share(
    costs: list[float], hands: int, at_once: int
) -> None:
    elements = deal(costs, hands, at_once)
    assert sorted(task for element in elements for task in element) == list(range(len(costs)))
    assert len(elements) % hands == 0
    assert all(len(element) <= at_once and element == sorted(element) for element in elements)
    longest = max(sum(costs[task] for some in elements[hand::hands] for task in some) for hand in range(hands))
    # a worker is only given what it has when no other has less, so it ends at most its last task after the mean
    assert longest <= sum(costs) / hands + max(costs, default=0) + pytest.approx(1e-6, abs=1e-6).expected
