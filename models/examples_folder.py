"""An examples folder of any family: its spec and its card, which must be of one run."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD, FingerprintedSpec
from features.storage import StorageError, list_files, read_bytes, read_text

Spec = TypeVar("Spec", bound=FingerprintedSpec)


class DatasetError(AuguryError, ValueError):
    """An examples folder that is incomplete, contradicts itself or cannot be learnt from."""


@dataclass(frozen=True)
class SpecFolder(Generic[Spec]):
    """A complete examples folder; a family's own says how its examples are read.

    Attributes:
        spec_class: the family's spec.
        command: the command that writes such a folder.
        noun: what its examples are, for messages.
        source: what there should be more of where a split is empty.
        path: of the folder.
        spec: its spec.
        card: its dataset card.
    """

    spec_class: ClassVar[type[Any]]
    command: ClassVar[str]
    noun: ClassVar[str]
    source: ClassVar[str]

    path: str
    spec: Spec
    card: dict[str, Any]

    @classmethod
    def open(cls, path: str) -> Self:
        """Reads spec and card.

        Raises:
            DatasetError: there is no card, so the set is incomplete; or spec and card do not belong together.
            FeatureSpecError: the spec is none, or was edited.
            StorageError: the folder cannot be read.
        """
        path = path.rstrip("/")
        try:
            card = json.loads(read_bytes(f"{path}/{DATASET_CARD}"))
        except (FileNotFoundError, StorageError) as e:
            raise DatasetError(
                f"{path} is not a complete examples folder: it has no {DATASET_CARD}, which the pipeline writes last; "
                f"run `{cls.command}` to its end"
            ) from e
        except ValueError as e:
            raise DatasetError(f"{path}/{DATASET_CARD} is not JSON ({e}); write the examples again") from e
        if not isinstance(card, dict) or not cls.is_card(card):
            raise DatasetError(f"{path}/{DATASET_CARD} is not a dataset card; write the examples again")
        name = cls.spec_class.file
        spec = cls.spec_class.from_json(read_text(f"{path}/{name}"))
        if card.get("fingerprint") != spec.fingerprint:
            raise DatasetError(
                f"{path}: {name} has fingerprint {spec.fingerprint[:12]}, {DATASET_CARD} says "
                f"{str(card.get('fingerprint'))[:12]}; they are not of one run: write the examples again"
            )
        return cls(path, spec, card)

    @classmethod
    def is_card(cls, card: dict[str, Any]) -> bool:
        """Whether a dataset card says what reading the folder needs of it."""
        return "fingerprint" in card

    def files(self, split: str) -> list[str]:
        """Returns the TFRecord files of a split, sorted."""
        return [name for name in list_files(f"{self.path}/{split}") if name.endswith((".tfrecord", ".tfrecord.gz"))]

    def check_count(self, split: str, found: int) -> None:
        """Refuses a split that is empty or holds another number of examples than the card tells, where it tells one.

        Raises:
            DatasetError: it is, or does.
        """
        promised = promised_examples(self.card, split)
        if promised is not None and found != promised:
            raise DatasetError(
                f"{self.path}/{split} holds {found} {self.noun}, the dataset card says {promised}; files are missing "
                "or not of this run: write the examples again"
            )
        if not found:
            raise DatasetError(f"{self.path}/{split} is empty; use more {self.source}, or give {split} a larger share")


def promised_examples(card: dict[str, Any], split: str) -> int | None:
    """Returns the number of a split's examples that a dataset card tells; None where it tells none."""
    try:
        return int(card["splits"][split]["examples"])
    except (KeyError, TypeError, ValueError):
        return None
