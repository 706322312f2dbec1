"""The options that every training of a torch network has, whatever the network; this module needs no torch."""

from dataclasses import dataclass
from typing import ClassVar

from features.options import option
from models.options import SCHEDULES, OptionError, TrainingRun, one_of, within


@dataclass(frozen=True)
class FitOptions(TrainingRun):
    """What to train on, where to write, and how to train; a family has its own defaults and adds its own options.

    Attributes:
        least_batch: the least that ``batch_size`` may be.
    """

    irrelevant = (*TrainingRun.irrelevant, "device", "threads")
    least_batch: ClassVar[int] = 1

    examples: str = option("", "folder that the family's pipeline wrote (local or gs://)")
    output: str = option("", "folder of the artifact; it must not exist yet")
    work_dir: str | None = option(None, "folder of checkpoints and TensorBoard logs; <output>.work if not given")
    learning_rate: float = option(1e-3, "AdamW's largest step size")
    frozen_norms: bool = option(False, "keep the batch norms of pretrained weights as they are")
    weight_decay: float = option(1e-2, "AdamW's decay of weights (biases and norms are left out)")
    schedule: str = option("cosine", "of the step size: cosine to 0 at max_epochs, plateau, or constant")
    warmup_steps: int = option(50, "steps over which the step size grows from 0")
    batch_size: int = option(8, "images a step")
    max_epochs: int = option(8, "most passes over the training images")
    patience: int = option(4, "epochs without a better validation loss before training stops")
    average: float = option(0.99, "decay a step of the running average of weights that is judged and kept; 0 for none")
    full_precision: bool = option(False, "do not use half precision on a GPU")
    device: str = option("auto", "auto (a GPU where there is one), cpu, cuda, or cuda:1")
    threads: int = option(0, "CPU threads; 0 leaves it to torch")
    seed: int = option(0, "decides initial weights, order of images, augmentation and dropout")
    resume: bool = option(False, "go on from the checkpoint in the work folder, where there is one")

    def check_fit(self) -> None:
        """Refuses what cannot be.

        Raises:
            OptionError: naming the option.
        """
        for name in ("examples", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name a folder with --{name}")
        one_of("schedule", self.schedule, SCHEDULES)
        within("learning_rate", self.learning_rate, 1e-8, 1.0, float)
        within("weight_decay", self.weight_decay, 0.0, 1.0, float)
        within("warmup_steps", self.warmup_steps, 0, 1_000_000, int)
        within("batch_size", self.batch_size, self.least_batch, 4096, int)
        within("max_epochs", self.max_epochs, 1, 100_000, int)
        within("patience", self.patience, 1, 100_000, int)
        within("average", self.average, 0.0, 0.99999, float)
        within("threads", self.threads, 0, 1024, int)
        within("seed", self.seed, 0, 2**31 - 1, int)
        if self.device not in ("auto", "cpu") and not self.device.startswith("cuda"):
            raise OptionError(f"device is {self.device!r}; expected auto, cpu, cuda or cuda:N")
