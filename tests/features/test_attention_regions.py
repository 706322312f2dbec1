import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.attention_regions import Region, region_shares, share_changes
from features.attention_scores import AttentionScoreError

# Three rows of four pixels.
MAP = np.array([[1.0, 1, 1, 1], [0, 0, 8, 0], [2, 2, 2, 2]])


def test_shares_by_hand() -> None:
    whole, spot, left, part = region_shares(
        MAP,
        [
            Region("whole", 0, 0, 4, 3),
            Region("spot", 2, 1, 1, 1),
            Region("left", 0, 0, 2, 3),
            Region("part", 0.5, 0, 1, 0.25),  # halves of two pixels, a quarter high
        ],
    )
    assert [whole.share, spot.share, left.share, part.share] == pytest.approx([1, 0.4, 0.3, 0.0125])
    assert [whole.rank, spot.rank, left.rank, part.rank] == [1, 2, 3, 4]
    assert (whole.low, whole.high, whole.lift) == pytest.approx((1, 1, 1))
    assert spot.area == pytest.approx(1 / 12) and spot.lift == pytest.approx(4.8)


def test_the_interval_is_the_binomial_one() -> None:
    (spot,) = region_shares(MAP, [Region("spot", 2, 1, 1, 1)], effective_fixations=400)
    half = 1.96 * math.sqrt(0.4 * 0.6 / 400)
    assert (spot.low, spot.high) == (pytest.approx(0.4 - half, abs=0.006), pytest.approx(0.4 + half, abs=0.006))
    (wider,) = region_shares(MAP, [Region("spot", 2, 1, 1, 1)], effective_fixations=40)
    assert wider.low < spot.low and wider.high > spot.high


def test_ranks_have_an_interval_and_ties_share_the_better_place() -> None:
    boxes = [Region("a", 0, 0, 1, 1), Region("b", 1, 0, 1, 1), Region("c", 2, 1, 1, 1)]
    a, b, c = region_shares(MAP, boxes)
    assert (a.rank, b.rank, c.rank) == (2, 2, 1)
    assert (c.rank_low, c.rank_high) == (1, 1)
    assert a.rank_low == 2 and a.rank_high == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_disjoint_boxes_add_up_and_edges_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(size) for size in rng.integers(2, 20, 2))
    attention = rng.random((height, width)) + 1e-3
    cut_x, cut_y = rng.random() * (width - 1) + 0.5, rng.random() * (height - 1) + 0.5
    found = region_shares(
        attention,
        [
            Region("1", 0, 0, cut_x, cut_y),
            Region("2", cut_x, 0, width - cut_x, cut_y),
            Region("3", 0, cut_y, cut_x, height - cut_y),
            Region("4", cut_x, cut_y, width - cut_x, height - cut_y),
            Region("pixel", width - 1, height - 1, 1, 1),
        ],
    )
    assert sum(share.share for share in found[:4]) == pytest.approx(1)
    assert found[4].share == pytest.approx(attention[-1, -1] / attention.sum())
    assert all(0 <= share.low <= share.high <= 1 for share in found)
    # A finer map of the same attention, with the same boxes in its pixels, says the same.
    finer = np.repeat(np.repeat(attention, 2, axis=0), 2, axis=1)
    again = region_shares(finer, [Region("1", 0, 0, cut_x * 2, cut_y * 2)])
    assert again[0].share == pytest.approx(found[0].share)


def test_the_same_seed_gives_the_same_numbers() -> None:
    boxes = [Region("a", 0, 0, 2, 2), Region("b", 1, 1, 3, 2)]
    assert region_shares(MAP, boxes, seed=5) == region_shares(MAP, boxes, seed=5)
    assert region_shares(MAP, boxes, seed=5) != region_shares(MAP, boxes, seed=6)


def test_as_many_regions_as_are_allowed() -> None:
    rng = np.random.default_rng(0)
    boxes = [Region(str(i), *rng.random(2) * 200, *(1 + rng.random(2) * 50)) for i in range(100)]
    assert len(region_shares(rng.random((300, 300)), boxes)) == 100
    with pytest.raises(AttentionScoreError, match="101 regions; expected 1 to 100"):
        region_shares(MAP, [*boxes, Region("one more", 0, 0, 1, 1)])


def test_changes() -> None:
    boxes = [Region("top", 0, 0, 4, 1), Region("spot", 2, 1, 1, 1)]
    other = MAP.copy()
    other[1, 2] = 0.01
    before, after = (region_shares(each, boxes, effective_fixations=200) for each in (MAP, other))
    top, spot = share_changes(before, after)
    assert (spot.before, spot.after, spot.apart) == (pytest.approx(0.4), pytest.approx(0.01 / 12.01), True)
    assert top.change == pytest.approx(4 / 12.01 - 0.2)
    assert not share_changes(before, before)[0].apart
    with pytest.raises(AttentionScoreError, match=r"regions differ in \['spot'\]; give both images the same regions"):
        share_changes(before, after[:1])


def test_a_region_of_json() -> None:
    box = {"name": "buy", "x": 1, "y": 2, "width": 3, "height": 4.5}
    assert Region.from_dict(box) == Region("buy", 1, 2, 3, 4.5)
    with pytest.raises(AttentionScoreError, match=r"a region with \['name', 'x'\]; expected exactly height, name, wid"):
        Region.from_dict({"name": "buy", "x": 1})
    with pytest.raises(AttentionScoreError, match="a region with list; expected exactly"):
        Region.from_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("", 0, 0, 1, 1), "a region is named ''; expected a text that is not empty"),
        (("a", "0", 0, 1, 1), "region 'a': x is '0'; expected a number of pixels"),
        (("a", 0, math.inf, 1, 1), "region 'a': y is inf; expected a number of pixels"),
        (("a", 0, 0, True, 1), "region 'a': width is True; expected a number of pixels"),
        (("a", 0, 0, 0, 1), "region 'a': 0 x 1 pixels; expected both above 0"),
    ],
)
def test_regions_that_cannot_be(values: tuple[str, float, float, float, float], message: str) -> None:
    with pytest.raises(AttentionScoreError, match=message):
        Region(*values)


def test_regions_that_do_not_fit() -> None:
    with pytest.raises(AttentionScoreError, match=r"'a' goes from \(3, 0\) to \(5, 1\); expected it inside .* 4 x 3"):
        region_shares(MAP, [Region("a", 3, 0, 2, 1)])
    with pytest.raises(AttentionScoreError, match="region 'a' is named twice"):
        region_shares(MAP, [Region("a", 0, 0, 1, 1), Region("a", 1, 0, 1, 1)])
    with pytest.raises(AttentionScoreError, match="0 regions; expected 1 to 100"):
        region_shares(MAP, [])
    with pytest.raises(AttentionScoreError, match="effective_fixations 0 and level 0.95; expected at least 1"):
        region_shares(MAP, [Region("a", 0, 0, 1, 1)], effective_fixations=0)
