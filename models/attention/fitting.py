"""Fitting the attention network: its loss, its augmentation, and what of it learns slowly or not at all."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.attention.augment import augment
from models.attention.dataset import Batch, Split
from models.attention.losses import Truth, weighted_loss
from models.attention.network import AttentionNetwork
from models.attention.options import TrainOptions, parse_loss
from models.fitting import BaseFitter


class _Prepared(NamedTuple):
    """Images float32 (B, 3, H, W), channels last; the set of each, int64 (B,); what they should give."""

    images: Tensor
    sets: Tensor
    truth: Truth


class Fitter(BaseFitter[Batch]):
    """Trains one attention network; the arguments are those of its base, with splits of attention examples."""

    network: AttentionNetwork

    def __init__(
        self, network: AttentionNetwork, train: Split, validation: Split, options: TrainOptions, device: torch.device
    ) -> None:
        self.options = options
        self.weights = parse_loss(options.loss)
        network.prior.begin_at(torch.from_numpy(train.mean_map()))
        super().__init__(network, train, validation, options, device)

    def prepare(self, batch: Batch) -> _Prepared:
        """Returns a batch as tensors on the device."""
        images = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        rest = (batch.maps, batch.fixations, batch.valid)
        maps, fixations, valid = (torch.from_numpy(values).to(self.device) for values in rest)
        return _Prepared(images, torch.from_numpy(batch.sets).to(self.device), Truth(maps, fixations, valid))

    def answer(self, network: nn.Module, batch: _Prepared) -> Tensor:
        """Returns logits (B, H, W)."""
        return network(batch.images, batch.sets)

    def loss(self, logits: Tensor, batch: _Prepared) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the weighted loss and its terms."""
        return weighted_loss(logits, batch.truth, self.weights)

    def change(self, batch: Batch, epoch: int, index: int) -> Batch:
        """Returns the batch mirrored and recoloured by chance."""
        rng = np.random.default_rng([self.options.seed, epoch, index])
        return augment(batch, rng, flip=not self.options.no_flip, color=self.options.color)

    def rate_of(self, name: str) -> float:
        """Returns ``encoder_rate`` for a pretrained encoder."""
        return self.options.encoder_rate if self._pretrained and name.startswith("encoder.") else 1.0

    def decays(self, name: str, parameter: Tensor) -> bool:
        """Whether a parameter decays: the prior does not."""
        return super().decays(name, parameter) and not name.startswith("prior.")

    def set_mode(self) -> None:
        """Sets the network to training, but for norms that stay as they are."""
        super().set_mode()
        if self._pretrained and (self.options.frozen_norms or not self.options.encoder_rate):
            encoder: Any = self.network.encoder
            encoder.eval()

    @property
    def _pretrained(self) -> bool:
        return self.options.pretrained != "none"
