"""The per-session and the vectorised form of every shipped generator give the same slices, on any sessions."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from example_generators.base import ExampleGenerator
from example_generators.catalogue import load_generator
from example_generators.errors import GeneratorError
from features.sessions import Sessions

VARIANTS = [
    ("purchase", {}),
    ("signup", {}),
    ("purchase_points", {}),
    ("purchase_points", {"horizon_events": 3}),
    ("purchase_points", {"points": "synthetic", "horizon_events": 2}),
    ("purchase_points", {"points": "synthetic", "horizon_seconds": 40000}),
    ("purchase_points", {"points": "random", "share": 0.5, "horizon_seconds": 7200}),
    ("purchase_points", {"points": "random", "share": 1, "horizon_events": 1}),
    ("purchase_points", {"view_events": ["Product Added", "Page Viewed"]}),
    ("return_visit", {"days": 1}),
    ("high_value", {"days": 0.7, "threshold": 0}),
    ("high_value", {"days": 0.7, "threshold": 19.99}),
    ("template", {}),
]


@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_same_slices(name, params, any_sessions, data):
    generator = load_generator(name, params)
    sessions = data.draw(any_sessions)
    try:
        at_once = generator.slices_of(sessions)
    except GeneratorError as error:  # sessions cut by inactivity hide the next visit: both forms refuse them
        with pytest.raises(GeneratorError, match=re.escape(str(error))):
            ExampleGenerator.slices_of(generator, sessions)
        return
    one_by_one = ExampleGenerator.slices_of(generator, sessions)
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


@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=str)
def test_no_sessions_give_no_slices(name, params, sessions_of):
    empty = sessions_of([("a", 0, "Page Viewed")])
    empty = Sessions(empty.events.slice(0, 0), empty.offsets[:1], empty.window)
    assert len(load_generator(name, params).slices_of(empty)) == 0
