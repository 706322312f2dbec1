"""What a creative-examples job is asked to do, checked before any work begins and before Beam is imported."""

from dataclasses import dataclass, field

from features.creative_names import DEFAULT_VARIANTS, SIMULATIONS
from features.errors import AuguryError
from features.options import check_ranges, option
from pipelines.worker_pool import MOST_PROCESSES

WORKER_MODULES = ("pipelines.creative_examples",)
"""What worker processes import before there is work for them."""


class CreativeOptionError(AuguryError, ValueError):
    """An option of a creative-examples job that cannot be, or a catalogue that is not there."""


@dataclass(frozen=True)
class CreativeExamplesOptions:
    """Options of ``pipelines.creative_examples``; each is a command-line flag of that name."""

    catalogue: str = field(
        metadata={"help": "folder of photos, or the CSV of a catalogue, see docs/creative-examples.md"}
    )
    output: str = field(metadata={"help": "folder for the data set; local or gs://"})
    images: str | None = option(None, "folder that the CSV's image paths are relative to; by default its own")
    columns: tuple[str, ...] = option((), "columns of the CSV that are called otherwise, such as kind=type")
    conversions: str | None = option(None, "tables of conversions, CSV or Parquet: a file, folder or glob")
    conversion_columns: tuple[str, ...] = option((), "columns of these that are called otherwise, such as product=sku")
    simulate: str | None = option(None, f"conversions that never were: {' or '.join(SIMULATIONS)}")
    simulated_sends: int = option(20, "simulated messages with each variant of a product in a campaign")
    simulated_campaigns: int = option(4, "simulated campaigns of each product; paper has one")
    size: int = option(128, "width and height of stored photos, pixels")
    variants: tuple[str, ...] = option(DEFAULT_VARIANTS, "variants of every photo; recoloured is a seventh")
    variant_params: str = option("{}", """parameters as JSON, such as '{"swivel": {"degrees": 20}}'""")
    image_format: str = option("png", "png or jpeg, of stored photos")
    jpeg_quality: int = option(95, "1 to 100")
    validation: float = option(0.1, "share of validation")
    test: float = option(0.1, "share of test")
    seed: int = option(0, "seed of the split and of simulations")
    near_bits: int = option(4, "most differing bits of the hashes of near-duplicates, 0 to 31; -1 looks for none")
    max_bad_share: float = option(0.05, "fail when more than this share of the photos or conversions is rejected")
    dead_letter: str | None = option(None, "folder for what is rejected; by default <output>-dead-letter")
    processes: int = option(1, "processes on this machine that share the work, a core each")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("max_bad_share", "validation", "test"), (0, 1))
        counts = {"seed": (0, 2**32 - 1), "processes": (1, MOST_PROCESSES)}
        simulated = {"simulated_sends": (1, 10**6), "simulated_campaigns": (1, 40)}
        check_ranges(self, CreativeOptionError, {**shares, "near_bits": (-1, 31), **counts, **simulated})
        if self.validation + self.test >= 1:
            raise CreativeOptionError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; expected less than 1"
            )
        if self.simulate is not None and self.simulate not in SIMULATIONS:
            raise CreativeOptionError(f"simulate is {self.simulate!r}; expected {' or '.join(SIMULATIONS)}")
        if self.simulate is not None and self.conversions is not None:
            raise CreativeOptionError(
                f"conversions are read from {self.conversions} and simulated ({self.simulate}) at once; leave one out"
            )

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the job reads or writes."""
        given = (self.catalogue, self.images, self.conversions, self.output, self.dead_letter_folder)
        return tuple(path for path in given if path is not None)

    @property
    def dead_letter_folder(self) -> str:
        """Where what is rejected goes."""
        return self.dead_letter or f"{self.output.rstrip('/')}-dead-letter"
