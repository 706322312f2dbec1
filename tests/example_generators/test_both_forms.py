"""The per-session and the vectorised form of every shipped generator give the same slices, on any sessions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from example_generators.base import ExampleGenerator
from example_generators.catalogue import load_generator

VARIANTS = [
    ("purchase", {}),
]


@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_same_slices(name, params, any_sessions, data):
    generator = load_generator(name, params)
    sessions = data.draw(any_sessions)
    one_by_one = ExampleGenerator.slices_of(generator, sessions)
    at_once = generator.slices_of(sessions)
    for column in ("session", "start", "end", "label"):
        expected, found = getattr(one_by_one, column), getattr(at_once, column)
        assert found.dtype == np.int64
        assert found.tolist() == expected.tolist(), column
    assert at_once.stats.keys() == set(generator.stats)
    for stat in generator.stats:
        assert at_once.stats[stat].dtype == np.float32
        assert at_once.stats[stat].tobytes() == one_by_one.stats[stat].tobytes(), stat
    assert (at_once.start < at_once.end).all()
    assert (at_once.end <= np.diff(sessions.offsets)[at_once.session]).all()
