"""Fitting the network: AdamW with a schedule, a running average of the weights, early stopping.

Everything random is a function of (seed, epoch), so on a CPU a training that was killed and resumed ends with the same
bits as one that was not (with the same number of threads).
"""

import copy
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.attention.augment import augment
from models.attention.dataset import Batch, Split
from models.attention.losses import Truth, weighted_loss
from models.attention.network import AttentionNetwork
from models.attention.options import TrainOptions, parse_loss
from models.checkpoint import TrainingError

Progress = Callable[[str, int, int, str], None]
"""Called with (stage, done, total, note) as work goes on."""

_AHEAD = 2
_PLATEAU_FACTOR = 0.3
_LARGEST_GRADIENT = 5.0


@dataclass
class FitState:
    """Where a training stands after an epoch, beside the weights and AdamW's moments.

    Attributes:
        history: one entry per epoch: epoch, learning_rate, train_loss, validation_loss and each term of both.
        best_loss: lowest validation loss so far.
        best_epoch: its epoch, from 1; 0 before the first.
        waited: epochs since then.
        steps: of AdamW so far.
        reduced: what the plateau schedule has come to multiply the step size with.
        finished: early stopping, or the last epoch, has ended the training.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0
    waited: int = 0
    steps: int = 0
    reduced: float = 1.0
    finished: bool = False


class Fitter:
    """Trains one network. What is judged and kept is the running average of its weights (Polyak & Juditsky 1992).

    Args:
        network: to train; moved to the device.
        train: images to learn from.
        validation: images to judge it by.
        options: how.
        device: where to compute.

    Attributes:
        averaged: the network with the average weights; the weights of the best epoch after ``run``.
        best: its state in the best epoch.
        state: where the training stands.
    """

    def __init__(
        self, network: AttentionNetwork, train: Split, validation: Split, options: TrainOptions, device: torch.device
    ) -> None:
        self.train, self.validation, self.options, self.device = train, validation, options, device
        self.weights = parse_loss(options.loss)
        self.half = device.type == "cuda" and not options.full_precision
        network.prior.begin_at(torch.from_numpy(train.mean_map()))
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval()
        self.best: dict[str, Tensor] = {}
        self.state = FitState()
        self.optimizer = torch.optim.AdamW(self._groups(), fused=True)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half)

    def run(self, after_epoch: Callable[[FitState], None], progress: Progress) -> None:
        """Trains until early stopping or the last epoch; then ``averaged`` has the weights of the best epoch.

        Args:
            after_epoch: called after each epoch; saves the checkpoint, writes logs, may raise to end the training.
            progress: told of the steps done.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        while not self.state.finished:
            self.run_epoch(progress)
            after_epoch(self.state)
        self.averaged.load_state_dict(self.best)

    def run_epoch(self, progress: Progress) -> None:
        """Trains for one epoch and judges it on the validation images."""
        state, options = self.state, self.options
        epoch = len(state.history)
        torch.manual_seed(int(np.random.SeedSequence([options.seed, epoch]).generate_state(1)[0]))
        batches = epoch_batches(len(self.train), options.batch_size, options.seed, epoch)
        self._set_mode()
        sums: dict[str, float] = {}
        for index, batch in enumerate(_decoded(self.train, batches, self._augmented(epoch))):
            found = self._step(batch, len(batches))
            for name, value in found.items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.images)
            progress("train", index + 1, len(batches), f"epoch {epoch + 1}")
        judged = self.judge(self.validation)
        loss = judged["loss"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"the validation loss is {loss} after epoch {epoch + 1}; lower --learning-rate "
                f"(now {options.learning_rate:g})"
            )
        rate = max(float(group["lr"]) for group in self.optimizer.param_groups)
        entry = {"epoch": epoch + 1, "learning_rate": rate}
        entry |= {f"train_{name}": value / len(self.train) for name, value in sums.items()}
        state.history.append(entry | {f"validation_{name}": value for name, value in judged.items()})
        if loss < state.best_loss:
            state.best_loss, state.best_epoch, state.waited = loss, epoch + 1, 0
            self.best = {name: value.clone() for name, value in self.averaged.state_dict().items()}
        else:
            state.waited += 1
            if state.waited >= max(1, options.patience // 2):
                state.reduced *= _PLATEAU_FACTOR
        state.finished = state.waited >= options.patience or epoch + 1 >= options.max_epochs

    @torch.no_grad()
    def judge(self, split: Split) -> dict[str, float]:
        """Returns the mean over a split's images of the loss and of each of its terms, by the averaged network."""
        sums: dict[str, float] = {}
        rows = list(range(len(split)))
        size = self.options.batch_size
        for batch in _decoded(split, [rows[i : i + size] for i in range(0, len(rows), size)], lambda _, b: b):
            images, sets, truth = self._tensors(batch)
            loss, terms = weighted_loss(self.averaged(images, sets), truth, self.weights)
            for name, value in {"loss": loss, **terms}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(images)
        return {name: value / len(split) for name, value in sums.items()}

    def _step(self, batch: Batch, steps_per_epoch: int) -> dict[str, float]:
        """Takes one step of AdamW; returns the loss and its terms."""
        share = self._rate_share(steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * share
        images, sets, truth = self._tensors(batch)
        with torch.autocast(self.device.type, enabled=self.half):
            logits = self.network(images, sets)  # (B, H, W)
        loss, terms = weighted_loss(logits.float(), truth, self.weights)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.state.steps += 1
        self._update_average()
        return {"loss": float(loss.detach()), **{name: float(value) for name, value in terms.items()}}

    @torch.no_grad()
    def _update_average(self) -> None:
        steps = self.state.steps
        keep = min(self.options.average, steps / (steps + 10))  # the first steps are forgotten soon
        ours = self.network.state_dict()
        for name, average in self.averaged.state_dict().items():
            if average.is_floating_point() and self.options.average:
                average.lerp_(ours[name], 1 - keep)
            else:
                average.copy_(ours[name])

    def _rate_share(self, steps_per_epoch: int) -> float:
        """Returns the step size of the coming step as a share of the largest one."""
        options, step = self.options, self.state.steps
        warm = min(1.0, (step + 1) / (options.warmup_steps + 1))
        if options.schedule == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / (steps_per_epoch * options.max_epochs))))
        return warm * (self.state.reduced if options.schedule == "plateau" else 1.0)

    def _groups(self) -> list[dict[str, Any]]:
        """Returns the parameters by step size and decay; a frozen encoder's are left out."""
        options = self.options
        pretrained = options.pretrained != "none"
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            share = options.encoder_rate if pretrained and name.startswith("encoder.") else 1.0
            if not share:
                parameter.requires_grad_(False)
                continue
            decay = options.weight_decay if parameter.ndim > 1 and not name.startswith("prior.") else 0.0
            groups.setdefault((share * options.learning_rate, decay), []).append(parameter)
        return [
            {"params": members, "lr": rate, "full_rate": rate, "weight_decay": decay}
            for (rate, decay), members in groups.items()
        ]

    def _set_mode(self) -> None:
        self.network.train()
        pretrained = self.options.pretrained != "none"
        if pretrained and (self.options.frozen_norms or not self.options.encoder_rate):
            self.network.encoder.eval()

    def _augmented(self, epoch: int) -> Callable[[int, Batch], Batch]:
        options = self.options

        def change(index: int, batch: Batch) -> Batch:
            rng = np.random.default_rng([options.seed, epoch, index])
            return augment(batch, rng, flip=not options.no_flip, color=options.color)

        return change

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Truth]:
        images = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2)  # (B, 3, H, W), channels last
        rest = (batch.maps, batch.fixations, batch.valid)
        maps, fixations, valid = (torch.from_numpy(values).to(self.device) for values in rest)
        return images, torch.from_numpy(batch.sets).to(self.device), Truth(maps, fixations, valid)


def epoch_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Returns the rows of each batch of an epoch: every row once, in an order that (seed, epoch) decides."""
    order: npt.NDArray[np.int64] = np.random.default_rng([seed, epoch]).permutation(count)
    return [order[start : start + batch_size].tolist() for start in range(0, count, batch_size)]


def _decoded(split: Split, batches: Sequence[Sequence[int]], change: Callable[[int, Batch], Batch]) -> Iterator[Batch]:
    """Yields batches in order, decoded and changed ahead of time in a thread: OpenCV and NumPy let others compute."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for index, rows in enumerate(batches):
            waiting.append(pool.submit(lambda i, r: change(i, split.batch(r)), index, rows))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
