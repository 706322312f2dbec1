"""The examples of a shard."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pytest

from example_generators.base import ExampleGenerator
from features.coding import FeatureCoder
from features.sessions import Session, Window
from features.slices import Slice, SliceError
from features.spec import FeatureSpec
from transforms.shard_examples import shard_examples

EVENTS = pa.table(
    {
        "visitor": ["ann", "bob"],
        "message_id": ["1", "2"],
        "type": ["page", "page"],
        "event": ["Page Viewed", "Page Viewed"],
        "timestamp_us": [0, 1_000_000],
        **{name: pa.nulls(2, pa.string()) for name in ("url", "referrer", "user_agent", "properties")},
    }
)


@dataclass(frozen=True)
class Labelled(ExampleGenerator):
    """Gives every session the same label."""

    label: int = 0

    def slices(self, session: Session) -> Iterator[Slice]:
        yield Slice(0, len(session), self.label)


@pytest.mark.parametrize("label", [2, 7, -2])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    coder = FeatureCoder(FeatureSpec(generator="mine"))
    with pytest.raises(SliceError, match=f"generator 'mine' gives the label {label}; expected 0 to 1, or CENSORED"):
        shard_examples(EVENTS, coder=coder, generator=Labelled(label), window=Window(0, 2_000_000))
    made = shard_examples(EVENTS, coder=coder, generator=Labelled(1), window=Window(0, 2_000_000))
    assert sum(counts.get(1, 0) for counts in made.labels.values()) == 2
