"""What an embeddings job is asked to do, checked before any work begins and before Beam is imported."""

from dataclasses import dataclass, field

from features.errors import AuguryError
from features.options import option
from pipelines.worker_pool import MOST_PROCESSES

WORKER_MODULES = ("pipelines.creative_embeddings",)
"""What worker processes import before there is work for them."""


class EmbeddingOptionError(AuguryError, ValueError):
    """An option of an embeddings job that is impossible, or examples and a recogniser that do not fit."""


@dataclass(frozen=True)
class CreativeEmbeddingsOptions:
    """What an embeddings job is asked to do."""

    examples: str = field(metadata={"help": "folder that `augury creative-examples` wrote; local or gs://"})
    recognizer: str = field(metadata={"help": "folder that `augury train variants` wrote"})
    output: str = field(metadata={"help": "folder for the vectors; local or gs://"})
    batch_size: int = option(32, "most images that the recogniser is given at once")
    processes: int = option(1, "processes on this machine that share the work, a core each")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        for name, most in (("batch_size", 4096), ("processes", MOST_PROCESSES)):
            if not 1 <= getattr(self, name) <= most:
                raise EmbeddingOptionError(f"{name} is {getattr(self, name)}; expected 1 to {most}")

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the job reads or writes."""
        return self.examples, self.recognizer, self.output

    @property
    def dead_letter_folder(self) -> str:
        """Empty: nothing is rejected, since the examples were checked when they were made."""
        return ""
