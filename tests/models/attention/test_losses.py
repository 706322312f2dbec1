import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.attention import losses, metrics
from models.attention.losses import as_truth, weighted_loss
from models.attention.network import density

ALL = torch.ones(1, 2, 2, dtype=torch.bool)


def maps(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 2, 2)


def test_divergence_by_hand() -> None:
    p, q = maps(0.25, 0.25, 0.25, 0.25), maps(0.5, 0.5, 0, 0)
    assert losses.divergence(p, q).item() == pytest.approx(math.log(2), abs=1e-6)
    assert losses.divergence(q, q).item() == pytest.approx(0, abs=1e-6)


def test_correlation_by_hand() -> None:
    """Deviations (-1.5, -.5, .5, 1.5) and (-1, 1, -1, 1) / 2: sum of products 1, norms sqrt(5) and 1."""
    a, b = maps(0.1, 0.2, 0.3, 0.4), maps(0, 0.5, 0, 0.5)
    assert losses.correlation(a, b, ALL).item() == pytest.approx(1 / math.sqrt(5), abs=1e-6)
    assert losses.correlation(a, a, ALL).item() == pytest.approx(1, abs=1e-6)


def test_nss_by_hand() -> None:
    """Mean .25, population deviation sqrt(.0125): the value .4 lies 1.3416 above, .3 lies .4472 above."""
    fixations = maps(0, 0, 1, 2)
    expected = (2 * 0.15 + 0.05) / 3 / math.sqrt(0.0125)
    assert losses.scanpath_saliency(maps(0.1, 0.2, 0.3, 0.4), fixations, ALL).item() == pytest.approx(
        expected, abs=1e-5
    )


def test_nss_counts_only_images_with_fixations() -> None:
    pair = torch.cat([maps(0.1, 0.2, 0.3, 0.4)] * 2)
    fixations = torch.cat([maps(0, 0, 0, 1), maps(0, 0, 0, 0)])
    alone = losses.scanpath_saliency(pair[:1], fixations[:1], ALL)
    assert losses.scanpath_saliency(pair, fixations, ALL.expand(2, -1, -1)) == alone
    assert losses.scanpath_saliency(pair, fixations * 0, ALL.expand(2, -1, -1)) == 0


def test_dice_by_hand() -> None:
    """Logits 0 are 1/2 each; truth over its largest is (1, 1/2, 0, 0): 1 - (2 * .75 + 1) / (2 + 1.5 + 1)."""
    truth = maps(2 / 3, 1 / 3, 0, 0)
    assert losses.dice(torch.zeros(1, 2, 2), truth, ALL).item() == pytest.approx(1 - 2.5 / 4.5, abs=1e-6)


def test_cross_entropy_by_hand() -> None:
    truth = maps(2 / 3, 1 / 3, 0, 0)
    assert losses.cross_entropy(torch.zeros(1, 2, 2), truth, ALL).item() == pytest.approx(math.log(2), abs=1e-6)
    certain = maps(20, 0, -20, -20)
    assert losses.cross_entropy(certain, truth, ALL).item() == pytest.approx(math.log(2) / 4, abs=1e-6)


def test_the_sum_negates_what_more_of_is_better() -> None:
    logits = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    truth = as_truth(maps(0.1, 0.2, 0.3, 0.4), maps(0, 0, 0, 1), ALL)
    loss, terms = weighted_loss(logits, truth, {"kl": 1.0, "cc": 2.0, "nss": 0.1})
    assert loss.item() == pytest.approx((terms["kl"] - 2 * terms["cc"] - 0.1 * terms["nss"]).item())
    assert list(terms) == ["kl", "cc", "nss"]


@given(st.integers(0, 10_000))
def test_the_terms_are_the_metrics_of_their_names(seed) -> None:
    """Held to models.attention.metrics, which are NumPy in float64."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (1, 9, 12)).astype(np.float32))
    truth_map = rng.random((9, 12)) ** 4
    truth_map /= truth_map.sum()
    x, y = rng.integers(0, 12, 7), rng.integers(0, 9, 7)
    fixations = np.zeros((9, 12), np.float32)
    np.add.at(fixations, (y, x), 1)
    valid = torch.ones(1, 9, 12, dtype=torch.bool)
    truth = as_truth(torch.from_numpy(truth_map.astype(np.float32))[None], torch.from_numpy(fixations)[None], valid)
    _, terms = weighted_loss(logits, truth, {"kl": 1.0, "cc": 1.0, "nss": 1.0})
    found = density(logits, False)[0].numpy()
    assert terms["cc"].item() == pytest.approx(metrics.cc(found, truth_map), abs=1e-4)
    assert terms["nss"].item() == pytest.approx(metrics.nss(found, x, y), abs=1e-3)
    assert terms["kl"].item() == pytest.approx(metrics.kld(found, truth_map, subtract_minimum=False), abs=1e-3)


@pytest.mark.parametrize("weights", [{"kl": 1.0, "cc": 1.0, "nss": 0.1}, {"dice": 1.0, "bce": 1.0, "cc": 1.0}])
def test_the_letterbox_changes_nothing(weights) -> None:
    """An image of 4x4 alone, and in the middle of 4x8 with wild logits beside it."""
    rng = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(1, 4, 4, generator=rng), torch.rand(1, 4, 4, generator=rng)
    fixations = torch.zeros(1, 4, 4)
    fixations[0, 1, 2] = 1
    alone = weighted_loss(logits, as_truth(truth, fixations, torch.ones(1, 4, 4, dtype=torch.bool)), weights)[0]
    wide = torch.full((3, 1, 4, 8), 9.0)
    for place, values in zip(wide, (logits, truth, fixations), strict=True):
        place[:, :, 2:6] = values
    wide[2, :, :, :2] = wide[2, :, :, 6:] = 0
    valid = torch.zeros(1, 4, 8, dtype=torch.bool)
    valid[:, :, 2:6] = True
    boxed = weighted_loss(wide[0], as_truth(wide[1], wide[2], valid), weights)[0]
    assert boxed.item() == pytest.approx(alone.item(), abs=1e-5)


@pytest.mark.parametrize("name", ["kl", "cc", "nss", "dice", "bce"])
def test_gradients_are_finite_where_maps_are_flat(name) -> None:
    logits = torch.zeros(2, 4, 4, requires_grad=True)
    truth = torch.zeros(2, 4, 4)
    truth[0, 1, 1] = 1
    valid = torch.ones(2, 4, 4, dtype=torch.bool)
    loss, _ = weighted_loss(logits, as_truth(truth, truth, valid), {name: 1.0})
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
