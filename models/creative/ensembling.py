"""From trained recognisers to one that asks them all: open, check that none learnt what is tested, write."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from features.storage import StoragePath, read_bytes, read_text
from models.checkpoint import check_new
from models.creative import golden
from models.creative.dataset import ExamplesFolder, Split
from models.creative.members import EnsembleNetwork, open_member
from models.creative.options import EnsembleOptions
from models.creative.recognizer import MODEL_FILE
from models.creative.writing import write_artifact
from models.examples_folder import DatasetError
from models.progress import Progress

__all__ = ["combine"]


def combine(options: EnsembleOptions, progress: Progress = lambda *_: None) -> StoragePath:
    """Writes the artifact of an ensemble, which appears as ``options.output``, whole or not at all.

    Returns:
        The artifact's folder.

    Raises:
        TrainingError: there is an output already.
        DatasetError: the examples are incomplete, or a member may have learnt some of their test products.
        OptionError, RecordError, WeightsError, GoldenError, ExportError, StorageError: one line each; nothing is left
            behind.
    """
    started = time.monotonic()
    check_new(options.output)
    folder = ExamplesFolder.open(options.examples)
    splits = folder.read_all()
    members = []
    for name in options.member_folders:
        members.append(open_member(name, folder.spec))
        _check_unlearnt(name, splits["test"])
    write_artifact(
        EnsembleNetwork(members).eval(),
        folder,
        splits,
        options.output,
        origin={"arguments": options.to_dict(), "members": [_card(name) for name in options.member_folders]},
        started=started,
        golden_products=options.golden_products,
        progress=progress,
    )
    return options.artifact


def _check_unlearnt(member: str, test: Split) -> None:
    """Refuses a member whose golden set, which is of its test products, is not that of these test products."""
    kept = golden.products(Path(member))
    ours = list(dict.fromkeys(item.product for item in golden.choose(test, len(kept))))
    if kept != ours:
        raise DatasetError(
            f"{member} was tested on other products than the examples' test ({', '.join(kept[:3])}..., not "
            f"{', '.join(ours[:3])}...), so it may have learnt some of these; write the examples of members and of the "
            "ensemble from one catalogue with one --seed and the same shares"
        )


def _card(member: str) -> dict[str, Any]:
    card = json.loads(read_text(f"{member}/model_card.json"))
    digest = hashlib.sha256(read_bytes(f"{member}/{MODEL_FILE}")).hexdigest()
    kept = {name: card.get(name) for name in ("fingerprint", "arguments", "epochs", "metrics", "seconds")}
    return {"artifact": member, "model_sha256": digest, **kept}
