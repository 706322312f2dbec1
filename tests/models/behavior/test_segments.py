import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.evaluation import evaluate
from models.behavior.segments import SEGMENTS, edges_around, segment_edges, segment_of


def test_edges_part_in_fifths() -> None:
    assert segment_edges(np.arange(101) / 100) == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_a_probability_between_edges_has_its_name() -> None:
    edges = [0.2, 0.4, 0.6, 0.8]
    assert [segment_of(p, edges) for p in (0.1, 0.3, 0.5, 0.7, 0.9)] == list(SEGMENTS)


def test_at_an_edge_the_lower_and_between_equal_edges_the_middle() -> None:
    assert segment_of(0.2, [0.2, 0.4, 0.6, 0.8]) == "very low"
    assert segment_of(0.1, [0.1] * 4) == "medium"  # a model that says the same of everybody


def test_edges_around_a_base_rate_by_hand() -> None:
    # odds 1:1, times 1/4, 2/3, 3/2, 4: 1/5, 2/5, 3/5, 4/5
    assert edges_around(0.5) == pytest.approx([0.2, 0.4, 0.6, 0.8])


@given(st.floats(0, 1))
def test_edges_around_any_base_rate_rise_within_0_and_1(rate: float) -> None:
    edges = edges_around(rate)
    assert 0 < edges[0] < edges[1] < edges[2] < edges[3] < 1
    assert segment_of(min(max(rate, 1e-6), 1 - 1e-6), edges) == "medium"


def test_evaluation_records_the_edges_of_the_model_and_of_no_other() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    scores = rng.random(500)
    model = np.stack([1 - scores, scores], axis=1)
    found = evaluate(labels, {"model": model, "base_rate": np.full((500, 2), 0.5)})
    [view] = found["views"]
    assert view["segment_edges"] == pytest.approx(np.quantile(scores, [0.2, 0.4, 0.6, 0.8]))


def test_every_class_has_edges_of_its_own() -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), 300)
    found = evaluate(rng.integers(0, 3, 300), {"model": scores})
    assert [view["segment_edges"] for view in found["views"]] == [
        pytest.approx(np.quantile(scores[:, label], [0.2, 0.4, 0.6, 0.8])) for label in range(3)
    ]
