"""Where the examples of a version are, and that a champion is judged on them in a process of its own."""

import json
import shutil
from pathlib import Path

import pytest

from models.rescored import RescoreError
from models.rescoring import PROVENANCE, coded_for, examples_for, examples_of, rescorer
from tests.tiny_model import artifact


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """A version whose examples are beside it."""
    shutil.copytree(artifact(), tmp_path / "candidate")
    shutil.copytree(artifact().parent / "examples", tmp_path / "examples")
    told = {"examples": {"folder": f"{tmp_path}/examples/"}}
    (tmp_path / "candidate" / PROVENANCE).write_text(json.dumps(told))
    return tmp_path / "candidate"


def test_a_champion_is_judged_in_a_process_of_its_own(candidate: Path) -> None:
    found = rescorer("behavior")(artifact(), candidate)
    card = json.loads((candidate / "model_card.json").read_bytes())
    assert found.metrics["auc"] == pytest.approx(card["metrics"]["auc"], abs=1e-5)
    (candidate / "predictions.parquet").unlink()
    with pytest.raises(
        RescoreError, match="cannot judge the champion on this version's data: .*predictions.parquet is missing"
    ) as caught:
        rescorer("behavior")(artifact(), candidate)
    assert "\n" not in str(caught.value)


def test_the_retraining_says_where_examples_are_before_the_card_does(candidate: Path) -> None:
    assert examples_of(candidate) == f"{candidate.parent}/examples"
    (candidate / PROVENANCE).unlink()
    assert examples_of(candidate) == str(artifact().parent / "examples")
    (candidate / "model_card.json").write_text("{}")
    with pytest.raises(RescoreError, match="does not say where its examples are; train again"):
        examples_of(candidate)


def test_examples_that_are_gone_or_others_are_refused(candidate: Path) -> None:
    examples = candidate.parent / "examples"
    assert examples_for("behavior", artifact(), candidate) == str(examples)
    card = json.loads((examples / "dataset_card.json").read_bytes())
    (examples / "dataset_card.json").write_text(json.dumps({**card, "sources": ["other"]}))
    with pytest.raises(RescoreError, match="are not in .*/examples any more, or others are; keep them"):
        examples_for("behavior", artifact(), candidate)
    shutil.rmtree(examples)
    with pytest.raises(RescoreError, match="are not in .*/examples any more"):
        examples_for("behavior", artifact(), candidate)


def test_a_champion_of_another_spec_wants_examples_coded_for_it(candidate: Path, tmp_path: Path) -> None:
    champion = tmp_path / "champion"
    shutil.copytree(artifact(), champion)
    (champion / "feature_spec.json").write_text(json.dumps({"fingerprint": "0123456789abcdef"}))
    with pytest.raises(
        RescoreError, match=r"augury examples EVENTS --spec .*/feature_spec.json --output .*-0123456789ab"
    ):
        examples_for("behavior", champion, candidate)
    coded = Path(coded_for(f"{tmp_path}/examples", "0123456789abcdef"))
    coded.mkdir()
    (coded / "dataset_card.json").write_text("{}")
    assert examples_for("behavior", champion, candidate) == str(coded) == f"{tmp_path}/examples-0123456789ab"


def test_a_family_without_a_judge_is_refused() -> None:
    with pytest.raises(RescoreError, match="no way is known to judge a champion of family 'tea'; known: behavior"):
        rescorer("tea")
