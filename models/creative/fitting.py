"""Fitting the variant recogniser: its loss, its augmentation, and batches that hold whole products."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.creative.augment import augment
from models.creative.dataset import Batch, Split
from models.creative.network import VariantNetwork
from models.creative.options import TrainOptions
from models.fitting import BaseFitter


class _Prepared(NamedTuple):
    """Images float32 (B, 3, H, W), channels last, and the number of each one's variant, int64 (B,)."""

    images: Tensor
    labels: Tensor


class Fitter(BaseFitter[Batch]):
    """Trains one recogniser; the arguments are those of its base, with splits of creative examples."""

    network: VariantNetwork
    train: Split

    def __init__(
        self, network: VariantNetwork, train: Split, validation: Split, options: TrainOptions, device: torch.device
    ) -> None:
        self.options = options
        super().__init__(network, train, validation, options, device)

    def rows(self, epoch: int) -> list[list[int]]:
        """Returns the images of each batch of an epoch: every variant of some products.

        So the network sees side by side what differs in nothing but the variant, and batch norm has the same share of
        each in every batch.
        """
        options = self.options
        products = list(self.train.products.values())
        a_batch = max(1, options.batch_size // len(self.train.spec.variants))
        order = np.random.default_rng([options.seed, epoch]).permutation(len(products)).tolist()
        found = [order[start : start + a_batch] for start in range(0, len(order), a_batch)]
        return [[row for product in chosen for row in products[product]] for chosen in found]

    def prepare(self, batch: Batch) -> _Prepared:
        """Returns a batch as tensors on the device."""
        images = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        return _Prepared(images, torch.from_numpy(batch.labels).to(self.device))

    def answer(self, network: nn.Module, batch: _Prepared) -> Tensor:
        """Returns logits (B, V)."""
        return network(batch.images)

    def loss(self, logits: Tensor, batch: _Prepared) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns cross entropy, and the accuracy."""
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=self.options.label_smoothing)
        return loss, {"accuracy": (logits.detach().argmax(1) == batch.labels).float().mean()}

    def change(self, batch: Batch, epoch: int, index: int) -> Batch:
        """Returns the batch mirrored and moved by chance."""
        rng = np.random.default_rng([self.options.seed, epoch, index])
        return augment(batch, rng, flip=self.options.flip, shift=self.options.shift)

    def rate_of(self, name: str) -> float:
        """Returns ``backbone_rate`` for pretrained weights."""
        return self.options.backbone_rate if self.options.pretrained and name.startswith("backbone.") else 1.0

    def set_mode(self) -> None:
        """Sets the network to training, but for norms that stay as they are."""
        super().set_mode()
        if self.options.pretrained and (self.options.frozen_norms or not self.options.backbone_rate):
            self.network.backbone.eval()
