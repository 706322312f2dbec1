"""Judging a champion on a candidate's own data, for the gates: each family in a process of its own."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.attention_spec import AttentionSpec
from features.creative_spec import CreativeSpec
from features.fingerprinted import DATASET_CARD, FingerprintedSpec
from features.spec import FeatureSpec
from features.storage import StorageError, exists, read_bytes
from models.gates import Rescore
from models.processes import run_module
from models.rescored import Rescored, RescoreError

MODULES = {
    "behavior": "models.behavior.rescore",
    "attention": "models.attention.rescore",
    "creative": "models.creative.conversion.rescore",
}
"""Family -> what judges its champions. TensorFlow and torch never meet: each is run by itself."""

PROVENANCE = "retraining.json"
"""The file of a version that a retraining made: of which window and code it is, and where its examples are."""

_SPECS: Mapping[str, type[FingerprintedSpec]] = {
    "behavior": FeatureSpec,
    "attention": AttentionSpec,
    "creative": CreativeSpec,
}


def rescorer(family: str) -> Rescore:
    """Returns what judges a champion of a family on the examples that a candidate was judged on.

    Raises:
        RescoreError: nothing is known that judges champions of this family.
    """
    if family not in MODULES:
        raise RescoreError(f"no way is known to judge a champion of family {family!r}; known: {', '.join(MODULES)}")

    def rescore(champion: Path, candidate: Path) -> Rescored:
        examples = examples_for(family, champion, candidate)
        with tempfile.TemporaryDirectory(prefix="augury-rescore-") as folder:
            output, errors = Path(folder) / "found.json", Path(folder) / "errors"
            argv = [f"--champion={champion}", f"--candidate={candidate}", f"--examples={examples}"]
            with errors.open("wb") as file:
                code = run_module(MODULES[family], [*argv, f"--output={output}"], stderr=file)
            if code:
                said = errors.read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
                raise RescoreError(
                    f"cannot judge the champion on this version's data: {said[-1].removeprefix('error: ')}"
                )
            return Rescored.from_json(output.read_bytes())

    return rescore


def examples_for(family: str, champion: Path, candidate: Path) -> str:
    """Returns the folder of the examples that a candidate was judged on, coded as a champion wants them.

    Where the two have different feature specs, that is the folder that ``coded_for`` names.

    Raises:
        RescoreError: it is not there any more, or holds other examples by now.
    """
    folder = examples_of(candidate)
    if _card(folder) != _card(str(candidate)):
        raise RescoreError(
            f"the examples that this version was judged on are not in {folder} any more, or others are; keep them, or "
            "make them again of the same events"
        )
    file = _SPECS[family].file
    theirs, ours = (_fingerprint(f"{version}/{file}") for version in (champion, candidate))
    if family != "behavior" or theirs == ours:
        return folder
    coded = coded_for(folder, theirs)
    if not exists(f"{coded}/{DATASET_CARD}"):
        raise RescoreError(
            f"the champion codes events by another feature spec ({theirs[:12]}) than this version ({ours[:12]}), and "
            f"there are no examples coded so; make them: "
            f"augury examples EVENTS --spec {champion}/{file} --output {coded}"
        )
    return coded


def examples_of(version: Path) -> str:
    """Returns where the examples of a version's folder are, as its retraining or its model card says.

    Raises:
        RescoreError: neither does.
    """
    for file, place in ((PROVENANCE, ("examples", "folder")), ("model_card.json", ("examples",))):
        if not exists(version / file):
            continue
        found: Any = _json(version / file)
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, str) and found:
            return found.rstrip("/")
    raise RescoreError(f"{version} does not say where its examples are; train again")


def coded_for(examples: str, fingerprint: str) -> str:
    """Returns where the same examples are coded by another feature spec."""
    return f"{examples.rstrip('/')}-{fingerprint[:12]}"


def _card(folder: str) -> Any:
    try:
        return _json(f"{folder}/{DATASET_CARD}")
    except StorageError:
        return None


def _fingerprint(path: str) -> str:
    found = _json(path)
    return str(found.get("fingerprint", "")) if isinstance(found, Mapping) else ""


def _json(path: str | Path) -> Any:
    try:
        return json.loads(read_bytes(path))
    except ValueError as e:
        raise RescoreError(f"{path} is not JSON ({e}); publish the version again") from e
