"""What an attention-examples job is asked to do, checked before any work begins and before Beam is imported."""

from dataclasses import dataclass, field

from features.errors import AuguryError
from features.options import check_ranges, option
from pipelines.worker_pool import MOST_PROCESSES

IMAGES_PER_SHARD = 50
MAX_SHARDS = 4096
WORKER_MODULES = ("pipelines.attention_examples",)
"""What worker processes import before there is work for them."""


class AttentionOptionError(AuguryError, ValueError):
    """An option of an attention-examples job that cannot be, or a set that is not there."""


@dataclass(frozen=True)
class AttentionExamplesOptions:
    """Options of ``pipelines.attention_examples``; each is a command-line flag of that name."""

    sets: str = field(metadata={"help": "TOML file that describes the sets of gaze, see docs/gaze.md"})
    output: str = field(metadata={"help": "folder for the data set; local or gs://"})
    width: int = option(320, "of stored images and maps, pixels")
    height: int = option(240, "of stored images and maps, pixels")
    sigma_px: float = option(24.0, "sigma of the Gaussian, pixels of the original image, where a set names no other")
    resample_by: str = option("time", "how cursor samples are thinned: time, distance or none")
    resample_step: float = option(20.0, "milliseconds or pixels between two cursor points")
    image_format: str = option("jpeg", "jpeg or png, of stored images")
    jpeg_quality: int = option(95, "1 to 100")
    validation: float = option(0.1, "share of validation, of images without an official split")
    test: float = option(0.1, "share of test, of images without an official split")
    seed: int = option(0, "seed of the split")
    near_bits: int = option(4, "most differing bits of the hashes of near-duplicates, 0 to 31; -1 looks for none")
    shards: int | None = option(None, f"number of shards; by default one for every {IMAGES_PER_SHARD} images")
    max_bad_share: float = option(0.05, "fail when more than this share of the rows or images is rejected")
    dead_letter: str | None = option(None, "folder for what is rejected; by default <output>-dead-letter")
    processes: int = option(1, "processes on this machine that share the work, a core each")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("max_bad_share", "validation", "test"), (0, 1))
        counts = {"shards": (1, MAX_SHARDS), "seed": (0, 2**32 - 1), "processes": (1, MOST_PROCESSES)}
        check_ranges(self, AttentionOptionError, {**shares, "near_bits": (-1, 31), **counts})
        if self.validation + self.test >= 1:
            raise AttentionOptionError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; expected less than 1"
            )

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the job reads or writes, but for those that the sets file names."""
        return self.sets, self.output, self.dead_letter_folder

    @property
    def dead_letter_folder(self) -> str:
        """Where what is rejected goes."""
        return self.dead_letter or f"{self.output.rstrip('/')}-dead-letter"
