import numpy as np
import pyarrow as pa
import pytest

from features.bucketing import Linear, OneHot, Quantile
from features.coding import FeatureCoder
from features.fitting import fit_spec
from features.sessions import SessionRules, Sessions, Window, build_sessions
from features.slices import Slices
from features.spec import Feature, FeatureSpec, FeatureSpecError

_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)


def _sessions() -> Sessions:
    """Four visitors of five events, 1, 2, 3 and 4 seconds apart; the last is on a phone and the third on nothing."""
    visitors = np.repeat(["a", "b", "c", "d"], 5)
    seconds = np.concatenate([np.arange(5) * gap for gap in (1, 2, 3, 4)])
    agents = [*[_CHROME] * 10, *[None] * 5, *[_IPHONE] * 5]
    none = pa.nulls(20, pa.string())
    table = pa.table(
        {
            "visitor": pa.array(visitors.tolist()),
            "message_id": pa.array([str(i) for i in range(20)]),
            "type": pa.array(["track"] * 20),
            "event": pa.array(["View", "View", "View", "Hidden", "View"] * 4),
            "timestamp_us": pa.array(seconds * 1_000_000),
            "url": none,
            "referrer": none,
            "user_agent": pa.array(agents),
        }
    )
    return build_sessions(table, SessionRules(), Window(0, 100_000_000))[0]


def _slices(count: int = 4) -> Slices:
    zeros = np.zeros(count, np.int64)
    return Slices(np.arange(count), zeros, zeros + 5, zeros)


_OPEN = FeatureSpec(
    steps=(Feature("dwell", Quantile(4)), Feature("position", Linear(0, 1, 9))),
    metadata=(
        Feature("os", OneHot()),
        Feature("browser", OneHot(limit=1)),
        Feature("device", OneHot(("tv",))),
        Feature("span", Quantile(2)),
    ),
    hides=("Hidden",),
)


def test_edges_and_vocabularies_of_a_sample() -> None:
    fitted = fit_spec(_OPEN, _sessions(), _slices())
    assert not fitted.needs_fitting
    # visible dwells are 1, 1, 2 / 2, 2, 4 / 3, 3, 6 / 4, 4, 8: sorted 1 1 2 2 2 3 3 4 4 4 6 8, edges at places 3, 6, 9
    assert fitted.steps[0].coding == Quantile(4, (2, 3, 4))
    assert fitted.metadata[0].coding == OneHot(("Windows", "iOS"))
    assert fitted.metadata[1].coding == OneHot(("Chrome",), limit=1)
    assert fitted.metadata[3].coding == Quantile(2, (12,))  # spans 4, 8, 12, 16
    assert (fitted.steps[1], fitted.metadata[2]) == (_OPEN.steps[1], _OPEN.metadata[2])
    coded = FeatureCoder(fitted).encode(_sessions(), _slices())
    assert coded.metadata["os"].tolist() == [0, 0, 3, 1]


def test_only_the_slices_given_are_learnt_from() -> None:
    fitted = fit_spec(_OPEN, _sessions(), _slices(1))
    assert fitted.metadata[0].coding == OneHot(("Windows",))
    assert fitted.metadata[3].coding == Quantile(2, ())


def test_fitted_spec_stays_as_it_is() -> None:
    fitted = fit_spec(_OPEN, _sessions(), _slices())
    assert fit_spec(fitted, _sessions(), _slices(1)) is fitted
    assert fit_spec(fitted, _sessions(), _slices(1)).fingerprint == fitted.fingerprint


def test_sample_without_instances_is_refused() -> None:
    with pytest.raises(
        FeatureSpecError, match="fit_spec: none of the 0 slices of the sample has a visible event; give"
    ):
        fit_spec(_OPEN, _sessions(), _slices(0))
