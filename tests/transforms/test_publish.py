"""The end of every examples pipeline: the card comes last, and only where there is something to find."""

import json
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from features.attention_spec import AttentionSpec
from transforms.publish import BadRowsError, EmptyDatasetError, PublishOnce, check_bad_share, publish_dataset
from transforms.staging import Staging
from transforms.tally import Tally


@dataclass(frozen=True)
class Limit:
    max_bad_share: float = 0.25
    dead_letter: str = "letters"


def test_a_quarter_may_be_bad_and_no_more() -> None:
    counts = {"read/cups": 4, "rejected_cups/cold": 1}
    check_bad_share(Tally(counts), Limit(), read="cups", kind="rejected_cups", unit="cups", mend="the kettle")
    counts |= {"rejected_cups/empty": 2}
    message = (
        r"3 of 4 cups \(75.0%\) were rejected \(empty 2, cold 1\); at most 25.0% may be: look at them in letters, then "
        "mend the kettle, or raise max_bad_share"
    )
    with pytest.raises(BadRowsError, match=message):
        check_bad_share(Tally(counts), Limit(), read="cups", kind="rejected_cups", unit="cups", mend="the kettle")


def test_nothing_read_is_nothing_bad() -> None:
    check_bad_share(Tally(), Limit(0.0), mend="the source")


def test_a_data_set_is_its_spec_its_files_and_its_card(tmp_path: Path) -> None:
    staging = Staging.begin(str(tmp_path / "data"), overwrite=False)
    spec, card = AttentionSpec(), {"splits": {"train": {"examples": 1}, "test": {"examples": 0}}}
    publish_dataset(card, spec, staging, nothing="nothing", files={"notes.txt": "tea"})
    found = {path.name: path.read_text() for path in (tmp_path / "data").iterdir()}
    assert found.keys() == {"attention_spec.json", "notes.txt", "dataset_card.json"}
    assert found["attention_spec.json"] == spec.to_json()
    assert json.loads(found["dataset_card.json"]) == card


def test_an_empty_data_set_is_none(tmp_path: Path) -> None:
    staging = Staging.begin(str(tmp_path / "data"), overwrite=False)
    with pytest.raises(EmptyDatasetError, match="no tea was read"):
        publish_dataset({"splits": {"train": {"examples": 0}}}, AttentionSpec(), staging, nothing="no tea was read")
    assert not list(tmp_path.iterdir())


def _card(_: None, numbers: list[int], name: str) -> dict[str, int]:
    return {name: sum(numbers)}


def test_publishing_happens_once_with_what_the_side_inputs_hold() -> None:
    with beam.Pipeline() as pipeline:
        numbers = pipeline | beam.Create([1, 2, 3])
        cards = pipeline | PublishOnce(_card, (beam.pvalue.AsList(numbers),), ("sum",))
        assert_that(cards, equal_to([{"sum": 6}]))
