"""Images divided into what is read together."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.attention_work import shard_of
from transforms.read_attention import read_together


def test_images_read_together_are_of_one_shard_and_about_as_many_each_time() -> None:
    # shard 0 has 0, 2, 4, 6, 8 and shard 1 the four others: halves of at most 3
    assert read_together(9, 2, at_once=3) == [[0, 2, 4], [6, 8], [1, 3], [5, 7]]


def test_shards_without_an_image_are_left_out() -> None:
    assert read_together(2, 5) == [[0], [1]]
    assert read_together(0, 5) == []


@given(st.integers(0, 200), st.integers(1, 40), st.integers(1, 20))
def test_every_image_is_read_once(images: int, shards: int, at_once: int) -> None:
    elements = read_together(images, shards, at_once)
    assert sorted(number for element in elements for number in element) == list(range(images))
    for element in elements:
        assert 1 <= len(element) <= at_once and element == sorted(element)
        assert len({shard_of(number, shards) for number in element}) == 1
