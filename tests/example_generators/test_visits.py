"""return_visit and high_value: what is asked at the end of every visit, against cases worked out by hand."""

import pytest

from example_generators.catalogue import load_generator
from example_generators.errors import GeneratorError

VIEW, ORDER = "Page Viewed", "Order Completed"
HOUR, DAY = 3600, 86400


def labels(found):
    return found.label.tolist()


def test_one_slice_a_visit_of_everything_so_far(sessions_of, tuples):
    rows = [("a", 0, VIEW), ("a", 1800, VIEW), ("a", 3601, VIEW), ("a", 10 * DAY, VIEW)]
    found = load_generator("return_visit").slices_of(sessions_of(rows, (0, 30 * DAY)))
    # 1800 s is no gap, 1801 s is one: visits end at events 1, 2, 3; the next but one is 10 days away, a 4th never comes
    assert tuples(found) == [(0, 0, 2, 1), (0, 0, 3, 0), (0, 0, 4, 0)]
    assert found.stats["clicks"].tolist() == [2, 3, 4]


def test_visitors_whose_days_are_not_over_are_censored_not_0(sessions_of):
    rows = [("a", 0, VIEW), ("a", 6 * DAY, VIEW)]
    generator = load_generator("return_visit")
    assert labels(generator.slices_of(sessions_of(rows, (0, 14 * DAY)))) == [1, 0]
    assert labels(generator.slices_of(sessions_of(rows, (0, 13 * DAY)))) == [1, -1]
    assert labels(generator.slices_of(sessions_of(rows, (0, 7 * DAY)))) == [-1, -1]


@pytest.mark.parametrize("name", ["return_visit", "high_value"])
def test_sessions_cut_by_inactivity_are_refused(name, sessions_of):
    sessions = sessions_of([("ann", 0, VIEW), ("ann", DAY, VIEW)], gap_seconds=1800)
    params = {"threshold": 1.0} if name == "high_value" else {}
    with pytest.raises(
        GeneratorError, match=r"^visitor 'ann' has several sessions, .*leave the inactivity gap .* out$"
    ):
        load_generator(name, params).slices_of(sessions)


def test_later_revenue_counts_and_earlier_does_not(sessions_of, tuples):
    rows = [
        ("a", 0, ORDER, '{"revenue": 100}'),
        ("a", DAY, ORDER, '{"revenue": 19.99}'),
        ("a", DAY + 1, ORDER, '{"revenue": "5.01"}'),
        ("a", 40 * DAY, ORDER, '{"revenue": 500}'),
        ("b", 5, VIEW),
    ]
    sessions = sessions_of(rows, (0, 100 * DAY))
    above = {t: labels(load_generator("high_value", {"threshold": t}).slices_of(sessions)) for t in (24.99, 25.0)}
    assert above == {24.99: [1, 0, 0, 0], 25.0: [0, 0, 0, 0]}  # after visit 1: 25.00 exactly
    assert labels(load_generator("high_value", {"threshold": 0, "days": 39}).slices_of(sessions)) == [1, 1, 0, 0]


def test_fitting_turns_the_quantile_into_a_threshold(sessions_of):
    rows = [row for k in range(5) for row in ((f"v{k}", 0, VIEW), (f"v{k}", DAY, ORDER, f'{{"revenue": {10 * k}}}'))]
    sessions = sessions_of(rows, (0, 100 * DAY))
    generator = load_generator("high_value", {"quantile": 0.5})
    assert generator.needs_fitting
    fitted = generator.fit(sessions)
    # first visits are followed by 0, 10, 20, 30, 40 and second ones by nothing: the median of the ten is 0
    assert (fitted.threshold, fitted.needs_fitting) == (0.0, False)
    assert labels(fitted.slices_of(sessions)) == [0, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    # nine tenths of the way through the ten sorted values: 0 0 0 0 0 0 10 20 30 40 -> 30 + 0.1 * (40 - 30)
    assert load_generator("high_value", {"quantile": 0.9}).fit(sessions).threshold == pytest.approx(31.0)


def test_an_unfitted_generator_refuses_to_guess(sessions_of):
    sessions = sessions_of([("a", 0, VIEW)], (0, DAY))
    generator = load_generator("high_value")
    with pytest.raises(GeneratorError, match=r"^high_value knows quantile 0\.8 but not the revenue it stands for; fit"):
        generator.slices_of(sessions)
    with pytest.raises(GeneratorError, match=r"^none of the 1 visits has its 30 days of revenue before the data ends"):
        generator.fit(sessions)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("return_visit", {"days": 0.01}, "days is 0.01; expected a number above 0.0208333"),
        ("return_visit", {"visit_gap_seconds": 0}, "visit_gap_seconds is 0.0; expected a number above 0"),
        ("high_value", {"quantile": 1}, "quantile is 1.0; expected a number between 0 and 1, e.g. 0.8"),
        ("high_value", {"threshold": -1}, "threshold is -1.0; expected a number of at least 0"),
    ],
)
def test_impossible_parameters_are_refused(name, params, message):
    with pytest.raises(GeneratorError) as caught:
        load_generator(name, params)
    assert str(caught.value) == message
