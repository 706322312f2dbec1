"""Ends an embeddings pipeline: checks that every example has its vectors, writes the card, puts the folder in place."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from features.creative_spec import CreativeSpec
from features.storage import list_files, open_filesystem
from transforms.embed_images import EmbeddingError, Written
from transforms.publish import PublishOnce, publish_dataset
from transforms.staging import Staging


@dataclass(frozen=True)
class EmbeddingNotes:
    """What the card says of how embeddings were made.

    Attributes:
        examples: folder of the examples.
        promised: how many examples each split has, by their card.
        recognizer: folder of the recogniser.
        model_sha256: of its graph, hex.
        dimension: number of features.
        code_version: version of the code.
    """

    examples: str
    promised: Mapping[str, int]
    recognizer: str
    model_sha256: str
    dimension: int
    code_version: str


class PublishEmbeddings(PublishOnce):
    """Pipeline -> the dataset card, having put the staged embeddings in their final place.

    Args:
        written: what was written.
        spec: of the examples; written beside the embeddings.
        notes: what the card adds.
        staging: where the files are and where they go.
    """

    def __init__(self, written: beam.PCollection, spec: CreativeSpec, notes: EmbeddingNotes, staging: Staging) -> None:
        super().__init__(_publish, (beam.pvalue.AsList(written),), (spec, notes, staging))


def _publish(
    _: None, written: list[Written], spec: CreativeSpec, notes: EmbeddingNotes, staging: Staging
) -> dict[str, Any]:
    _remove_others(written, staging)
    rows: Counter[str] = Counter()
    for each in written:
        rows[each.split] += each.rows
    found = {split: rows[split] for split in notes.promised}
    if found != dict(notes.promised):
        raise EmbeddingError(
            f"{notes.examples} holds {found} examples, its card says {dict(notes.promised)}; write the examples again"
        )
    card = {
        "fingerprint": spec.fingerprint,
        "created_by": f"augury {notes.code_version}",
        "examples": notes.examples,
        "recognizer": {
            "folder": notes.recognizer,
            "model_sha256": notes.model_sha256,
            "dimension": notes.dimension,
        },
        "variants": list(spec.variant_names),
        "splits": {split: {"examples": count} for split, count in found.items()},
    }
    publish_dataset(card, spec, staging, nothing=f"{notes.examples} holds no examples; write them again")
    return card


def _remove_others(written: list[Written], staging: Staging) -> None:
    """Removes what a worker wrote before its work was begun anew, with other rows in each file."""
    kept = {f"{each.split}/{each.name}" for each in written}
    for path in list_files(f"{staging.work}/*/embeddings-*.parquet"):
        if "/".join(path.rsplit("/", 2)[1:]) not in kept:
            fs, target = open_filesystem(path)
            fs.rm_file(target)
