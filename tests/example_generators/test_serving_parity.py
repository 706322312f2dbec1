"""Every slice of every shipped generator, seen by the service at the slice's end, is coded to the very same numbers."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from example_generators.base import ExampleGenerator
from example_generators.catalogue import load_generator
from example_generators.comparison import differences
from example_generators.errors import GeneratorError
from features.coding import FeatureCoder
from features.current import current_slices
from features.sessions import SessionRules, Sessions, build_sessions
from features.slices import Slices
from features.spec import FeatureSpec
from tests.example_generators.test_both_forms import VARIANTS

GAP_SECONDS = 1800


def spec_of(generator: ExampleGenerator, gap_seconds: float | None, sequence_length: int = 40) -> FeatureSpec:
    """Returns the spec that pipelines/behavior_recipe.py would make."""
    return FeatureSpec(
        sequence_length=sequence_length,
        hides=tuple(generator.hides),
        begins_after=tuple(generator.begins_after),
        stats=tuple(generator.stats),
        session_rules=SessionRules(gap_seconds, 1000),
    )


def as_served(sessions: Sessions, slices: Slices, spec: FeatureSpec) -> tuple[Sessions, Slices]:
    """Returns the service's sessions and slices: each slice a visitor, whose events end where the slice does."""
    codes, _ = sessions.codes("visitor")
    first_of_visitor = np.flatnonzero(np.diff(codes, prepend=-1))
    begin = first_of_visitor[np.searchsorted(first_of_visitor, sessions.offsets[slices.session], side="right") - 1]
    end = sessions.offsets[slices.session] + slices.end
    rows = np.concatenate([np.arange(*bounds) for bounds in zip(begin, end, strict=True)])
    owner = np.repeat(np.arange(len(slices)), end - begin)
    events = sessions.events.take(pa.array(rows[::-1].copy())).drop_columns(["visitor"])  # in whatever order
    events = events.append_column("visitor", pa.array([f"{index:06}" for index in owner[::-1]]))
    rules = SessionRules(spec.session_rules.gap_seconds, None)
    served, dropped = build_sessions(events, rules, sessions.window)
    assert not any(dropped.values())
    return served, current_slices(served, spec)


@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)
@given(data=st.data())
@settings(max_examples=100)
def test_the_service_codes_what_training_coded(name, params, any_sessions, data):
    generator = load_generator(name, params)
    sessions = data.draw(any_sessions)
    gap = GAP_SECONDS if len(sessions) > len(np.unique(sessions.codes("visitor")[0])) else None
    spec = spec_of(generator, gap, data.draw(st.sampled_from([1, 3, 40])))
    try:
        slices = generator.slices_of(sessions)
    except GeneratorError:  # generators that look from one visit to the next refuse sessions that were cut
        return
    if not len(slices):
        return
    coder = FeatureCoder(spec)
    trained = coder.encode(sessions, slices)
    served = coder.encode(*as_served(sessions, slices, spec))
    assert served.rows.tolist() == trained.rows.tolist()
    assert list(differences(trained, served, len(slices))) == []
