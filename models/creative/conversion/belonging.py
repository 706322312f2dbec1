"""Whether embeddings are of these examples, made by this recogniser."""

import json
from typing import Any

from features.fingerprinted import DATASET_CARD
from features.splits import SPLITS
from features.storage import StorageError, read_bytes
from models.creative.dataset import ExamplesFolder
from models.examples_folder import DatasetError, promised_examples

_COMMAND = "augury creative-embeddings"


def check_belonging(embeddings: str, folder: ExamplesFolder, recognizer: str, digest: str) -> None:
    """Compares what the card of the embeddings says with the examples and the recogniser.

    Args:
        embeddings: folder of the embeddings.
        folder: the examples.
        recognizer: folder of the recogniser.
        digest: SHA-256, in hex, of its graph.

    Raises:
        DatasetError: the embeddings are incomplete, of other examples, or another recogniser's.
    """
    card = _read(embeddings)
    fingerprint, made_by = card.get("fingerprint"), card["recognizer"].get("model_sha256")
    if fingerprint != folder.spec.fingerprint:
        raise DatasetError(
            f"{embeddings} were made with the spec {str(fingerprint)[:12]}, the examples {folder.path} with "
            f"{folder.spec.fingerprint[:12]}; run `{_COMMAND}` on these examples"
        )
    if made_by != digest:
        raise DatasetError(
            f"{embeddings} were made by a recogniser with SHA-256 {str(made_by)[:12]}, {recognizer} has {digest[:12]}; "
            f"run `{_COMMAND}` with this recogniser"
        )
    for split in SPLITS:
        theirs, ours = promised_examples(card, split), promised_examples(folder.card, split)
        if theirs != ours:
            raise DatasetError(
                f"{embeddings} hold {theirs} photos of {split}, the examples {folder.path} {ours}; run `{_COMMAND}` on "
                "these examples"
            )


def _read(embeddings: str) -> dict[str, Any]:
    try:
        card = json.loads(read_bytes(f"{embeddings}/{DATASET_CARD}"))
        if not isinstance(card, dict) or not isinstance(card.get("recognizer"), dict):
            raise ValueError("it names no recogniser")
    except (StorageError, FileNotFoundError, ValueError) as e:
        raise DatasetError(
            f"{embeddings} is no complete folder of embeddings ({' '.join(str(e).split())[:200]}); run `{_COMMAND}` to "
            "its end"
        ) from e
    return card
