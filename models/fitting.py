"""Fitting a torch network of any family: AdamW with a schedule, a running average of the weights, early stopping.

Everything random is a function of (seed, epoch), so on a CPU a training that was killed and resumed ends with the same
bits as one that was not (with the same number of threads).
"""

import copy
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.checkpoint import TrainingError
from models.fit_options import FitOptions
from models.progress import Progress

_AHEAD = 2
_PLATEAU_FACTOR = 0.3
_LARGEST_GRADIENT = 5.0


class ImageBatch(Protocol):
    """B images, and whatever a family puts beside them."""

    @property
    def images(self) -> npt.NDArray[np.uint8]: ...


Batch = TypeVar("Batch", bound=ImageBatch)
_Given = TypeVar("_Given", bound=ImageBatch, covariant=True)


class Images(Protocol[_Given]):
    """The images of a split."""

    def __len__(self) -> int: ...

    def batch(self, rows: Sequence[int]) -> _Given:
        """Decodes the images with the given indices."""
        ...


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


class BaseFitter(ABC, Generic[Batch]):
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
        self,
        network: nn.Module,
        train: Images[Batch],
        validation: Images[Batch],
        options: FitOptions,
        device: torch.device,
    ) -> None:
        self.train, self.validation, self.device = train, validation, device
        self._fit_options = options
        self.half = device.type == "cuda" and not options.full_precision
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval()
        self.best: dict[str, Tensor] = {}
        self.state = FitState()
        self.optimizer = torch.optim.AdamW(self._groups(), fused=True)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half)

    @property
    def max_epochs(self) -> int:
        """The most epochs that there will be."""
        return self._fit_options.max_epochs

    @abstractmethod
    def prepare(self, batch: Batch) -> Any:
        """Returns a batch as tensors on the device; the other steps get it in this form."""

    @abstractmethod
    def answer(self, network: nn.Module, batch: Any) -> Tensor:
        """Returns the logits of a prepared batch."""

    @abstractmethod
    def loss(self, logits: Tensor, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Returns the loss (), the mean over the images, and what else is to be told of each epoch."""

    def change(self, batch: Batch, epoch: int, index: int) -> Batch:
        """Returns the ``index``-th batch of an epoch with augmented images."""
        return batch

    def rows(self, epoch: int) -> list[list[int]]:
        """Returns the images of each batch of an epoch."""
        return epoch_batches(len(self.train), self._fit_options.batch_size, self._fit_options.seed, epoch)

    def rate_of(self, name: str) -> float:
        """Returns the step size of a parameter as a share of the others'; of 0 it is frozen."""
        return 1.0

    def decays(self, name: str, parameter: Tensor) -> bool:
        """Whether a parameter is subject to weight decay: biases and norms are not."""
        return bool(parameter.ndim > 1)

    def set_mode(self) -> None:
        """Sets the network to training."""
        self.network.train()

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
        state, options = self.state, self._fit_options
        epoch = len(state.history)
        torch.manual_seed(int(np.random.SeedSequence([options.seed, epoch]).generate_state(1)[0]))
        batches = self.rows(epoch)
        self.set_mode()
        sums: dict[str, float] = {}
        for index, batch in enumerate(_ahead(self.train, batches, lambda i, b: self.change(b, epoch, i))):
            found = self.step(batch, len(batches))
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
            if state.waited % max(1, options.patience // 2) == 0:
                state.reduced *= _PLATEAU_FACTOR
        state.finished = state.waited >= options.patience or epoch + 1 >= options.max_epochs

    def judge(self, split: Images[Batch]) -> dict[str, float]:
        """Returns the mean over a split's images of the loss and of each of its terms, by the averaged network."""
        sums: dict[str, float] = {}
        rows, size = list(range(len(split))), self._fit_options.batch_size
        with torch.no_grad():
            for batch in _ahead(split, [rows[i : i + size] for i in range(0, len(rows), size)], lambda _, b: b):
                prepared = self.prepare(batch)
                loss, terms = self.loss(self.answer(self.averaged, prepared), prepared)
                for name, value in {"loss": loss, **terms}.items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(batch.images)
        return {name: value / len(split) for name, value in sums.items()}

    def step(self, batch: Batch, steps_per_epoch: int) -> dict[str, float]:
        """Takes one step of AdamW; returns the loss and its terms."""
        share = self.rate_share(steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * share
        prepared = self.prepare(batch)
        with torch.autocast(self.device.type, enabled=self.half):
            logits = self.answer(self.network, prepared)
        loss, terms = self.loss(logits.float(), prepared)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.state.steps += 1
        self._update_average()
        return {"loss": float(loss.detach()), **{name: float(value) for name, value in terms.items()}}

    def rate_share(self, steps_per_epoch: int) -> float:
        """Returns the step size of the coming step as a share of the largest one."""
        options, step = self._fit_options, self.state.steps
        warm = min(1.0, (step + 1) / (options.warmup_steps + 1))
        if options.schedule == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / (steps_per_epoch * options.max_epochs))))
        return warm * (self.state.reduced if options.schedule == "plateau" else 1.0)

    def _update_average(self) -> None:
        steps, average = self.state.steps, self._fit_options.average
        keep = min(average, steps / (steps + 10))  # the first steps are forgotten soon
        ours = self.network.state_dict()
        with torch.no_grad():
            for name, value in self.averaged.state_dict().items():
                if value.is_floating_point() and average:
                    value.lerp_(ours[name], 1 - keep)
                else:
                    value.copy_(ours[name])

    def _groups(self) -> list[dict[str, Any]]:
        """Returns the parameters by step size and decay; frozen ones are left out."""
        options = self._fit_options
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            share = self.rate_of(name)
            if not share:
                parameter.requires_grad_(False)
                continue
            decay = options.weight_decay if self.decays(name, parameter) else 0.0
            groups.setdefault((share * options.learning_rate, decay), []).append(parameter)
        return [
            {"params": members, "lr": rate, "full_rate": rate, "weight_decay": decay}
            for (rate, decay), members in groups.items()
        ]


def epoch_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Returns the rows of each batch of an epoch: every row once, in an order that (seed, epoch) decides."""
    order: npt.NDArray[np.int64] = np.random.default_rng([seed, epoch]).permutation(count)
    return [order[start : start + batch_size].tolist() for start in range(0, count, batch_size)]


def _ahead(
    split: Images[Batch], batches: Sequence[Sequence[int]], change: Callable[[int, Batch], Batch]
) -> Iterator[Batch]:
    """Yields batches in order, decoded and changed ahead of time in a thread: OpenCV and NumPy let others compute."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for index, rows in enumerate(batches):
            waiting.append(pool.submit(lambda i, r: change(i, split.batch(r)), index, rows))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
