"""Losses: KL, CC, NSS of saliency models (Bylinskii et al. 2018), Dice and binary cross entropy; weighted sums of them.

KL divergence, correlation and NSS are those of "What do different evaluation metrics tell us about saliency models?";
as in SAM (Cornia et al. 2018) the loss is a sum in which CC and NSS, of which more is better, are negated. Dice is that
of V-Net (Milletari et al. 2016) in the form with sums, not squares.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.attention.network import density

_TINY = 1e-8


class Truth(NamedTuple):
    """What B images should give.

    Attributes:
        maps: float32 (B, H, W) densities, each of sum 1; 0 outside ``valid``.
        fixations: float32 (B, H, W) number of fixations in each pixel; all 0 where only a map is known.
        valid: bool (B, H, W): pixels that are image, not letterbox.
    """

    maps: Tensor
    fixations: Tensor
    valid: Tensor


def weighted_loss(logits: Tensor, truth: Truth, weights: Mapping[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the loss (), the mean over the images, and each term before weighting, detached.

    Args:
        logits: float32 (B, H, W) as the network gives them.
        truth: of the same images.
        weights: term -> weight, as ``parse_loss`` gives them. "cc" and "nss" are reported as they are and subtracted.
    """
    probability = bool(weights.keys() & {"dice", "bce"})
    maps = density(logits, probability, truth.valid)
    total = logits.new_zeros(())
    terms = {}
    for name, weight in weights.items():
        if name == "kl":
            term = divergence(maps, truth.maps)
        elif name == "cc":
            term = correlation(maps, truth.maps, truth.valid)
        elif name == "nss":
            term = scanpath_saliency(maps, truth.fixations, truth.valid)
        elif name == "dice":
            term = dice(logits, truth.maps, truth.valid)
        else:
            term = cross_entropy(logits, truth.maps, truth.valid)
        terms[name] = term.detach()
        total = total + (-weight if name in ("cc", "nss") else weight) * term
    return total, terms


def divergence(maps: Tensor, truth: Tensor) -> Tensor:
    """Returns the mean over images of KL(truth || maps) in nats; both float32 (B, H, W) of sum 1."""
    ratios = (truth + _TINY * truth.mean()).log() - (maps + _TINY * truth.mean()).log()
    return (truth * ratios).sum((1, 2)).mean()


def correlation(maps: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Returns the mean over images of Pearson's correlation over the valid pixels."""
    a, b = _centred(maps, valid), _centred(truth, valid)
    product = (a * b).sum((1, 2))
    squares = (a * a).sum((1, 2)) * (b * b).sum((1, 2))
    return (product / squares.clamp(min=1e-20).sqrt()).mean()  # of 0 a root has no slope


def scanpath_saliency(maps: Tensor, fixations: Tensor, valid: Tensor) -> Tensor:
    """Returns the mean over images with fixations of NSS: the mean, over fixations, of the standardised map.

    Args:
        maps: float32 (B, H, W).
        fixations: float32 (B, H, W) number of fixations in each pixel.
        valid: bool (B, H, W) pixels over which a map is standardised.
    """
    centred = _centred(maps, valid)
    spread = ((centred * centred).sum((1, 2)) / valid.sum((1, 2))).clamp(min=1e-12).sqrt()
    counts = fixations.sum((1, 2))
    scores = (centred * fixations).sum((1, 2)) / spread / counts.clamp(min=1.0)
    return scores.sum() / (counts > 0).sum().clamp(min=1)


def dice(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Returns the mean over images of 1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1); t is the truth over its largest."""
    p, t = logits.sigmoid() * valid, _relative(truth)
    both = (p * t).sum((1, 2))
    return (1 - (2 * both + 1) / (p.sum((1, 2)) + t.sum((1, 2)) + 1)).mean()


def cross_entropy(logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Returns the mean, over the valid pixels, of binary cross entropy with the truth over its largest value."""
    losses = F.binary_cross_entropy_with_logits(logits, _relative(truth), reduction="none")
    return ((losses * valid).sum((1, 2)) / valid.sum((1, 2))).mean()


def _relative(truth: Tensor) -> Tensor:
    return truth / truth.amax((1, 2), keepdim=True).clamp(min=1e-20)


def _centred(maps: Tensor, valid: Tensor) -> Tensor:
    """Returns maps (B, H, W) minus their mean over the valid pixels, 0 elsewhere, scaled so that a flat map is 1."""
    count = valid.sum((1, 2), keepdim=True)
    scaled = maps * count  # sums of squares of 1e-5 would be lost in float32
    mean = (scaled * valid).sum((1, 2), keepdim=True) / count
    return (scaled - mean) * valid


def as_truth(maps: Tensor, fixations: Tensor, valid: Tensor) -> Truth:
    """Returns the truth with maps scaled to sum 1 (inside ``valid``); a map of nothing but 0 stays that."""
    maps = torch.where(valid, maps, 0.0)
    return Truth(maps / maps.sum((1, 2), keepdim=True).clamp(min=1e-20), fixations, valid)
