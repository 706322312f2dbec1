import math

import pytest

from augury.retraining.app import CheckRules
from augury.retraining.checks import Before, Measured, Rate, find, reason

RULES = CheckRules(label_rate=0.5, volume=0.7)
HEALTHY = {"0": Rate(9_400, 10_000), "1": Rate(600, 10_000)}
BEFORE = Before("v1", 10_000, HEALTHY)


def measured(**more) -> Measured:
    return Measured(**{"examples": 10_000, "rates": HEALTHY, **more})


def kinds(found) -> list[str]:
    return [one.kind for one in found]


def test_the_same_again_is_fit_to_learn_from() -> None:
    assert find(measured(), BEFORE, RULES) == []
    assert find(measured(), None, RULES) == []


@pytest.mark.parametrize(("count", "found"), [(301, []), (1_199, []), (299, ["label_rate"]), (1_201, ["label_rate"])])
def test_a_label_s_rate_may_halve_or_double(count: int, found: list[str]) -> None:
    """6 % may be 3 % to 12 %; that of the other label moves by less than its share."""
    rates = {"0": Rate(10_000 - count, 10_000), "1": Rate(count, 10_000)}
    assert kinds(find(measured(rates=rates), BEFORE, RULES)) == found


def test_a_rate_of_few_labels_moves_by_itself() -> None:
    """12 of 200 and 2 of 200: a fifth of it, but within four standard errors of the difference (0.0184 each)."""
    pooled = 14 / 400
    assert 0.05 < 4 * math.sqrt(pooled * (1 - pooled) * 2 / 200)
    before = Before("v1", 200, {"0": Rate(188, 200), "1": Rate(12, 200)})
    now = measured(examples=200, rates={"0": Rate(198, 200), "1": Rate(2, 200)})
    assert find(now, before, RULES) == []


def test_a_label_that_is_gone_is_found() -> None:
    (one,) = find(measured(rates={"0": Rate(10_000, 10_000)}), BEFORE, RULES)
    assert one.kind == "label_rate"
    assert (
        one.what == "label 1 is 0.00% of the last days (0 of 10,000), 6.00% in the last run; expected 3.00% to 12.00%"
    )


def test_labels_that_are_all_the_same_stop_a_first_run() -> None:
    (one,) = find(measured(rates={"0": Rate(10, 10)}), None, RULES)
    assert one.what == "all labels of the last days are the same"


@pytest.mark.parametrize(("examples", "found"), [(3_001, []), (2_999, ["volume"]), (33_300, []), (33_400, ["volume"])])
def test_a_volume_may_fall_by_its_share_or_as_much_rise(examples: int, found: list[str]) -> None:
    assert kinds(find(measured(examples=examples), BEFORE, RULES)) == found


def test_what_tfdv_found_is_told_once_and_divergences_by_their_measures() -> None:
    anomalies = (
        {"feature": "metadata/os", "kind": "FEATURE_TYPE_LOW_UNIQUE", "what": "Expected at least 2 unique values."},
        {"feature": "metadata/os", "kind": "FEATURE_TYPE_LOW_UNIQUE", "what": "Expected at least 2 unique values."},
        {"feature": "step/dwell", "kind": "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH", "what": "It is high."},
        {"feature": "label", "kind": "FEATURE_TYPE_LOW_UNIQUE", "what": "Expected at least 2 unique values."},
    )
    measures = (
        {"feature": "step/dwell", "what": "drift", "value": 0.0625, "threshold": 0.05},
        {"feature": "label", "what": "drift", "value": 0.5, "threshold": 0.05},
        {"feature": "metadata/os", "what": "skew", "value": 0.1, "threshold": 0.1},
    )
    found = find(measured(anomalies=anomalies, measures=measures), BEFORE, RULES)
    assert [(one.kind, one.what) for one in found] == [
        ("schema", "metadata/os: Expected at least 2 unique values (FEATURE_TYPE_LOW_UNIQUE)"),
        ("drift", "step/dwell differs by 0.062 from the last run (Jensen-Shannon divergence, at most 0.05)"),
    ]
    assert reason(found) == f"{found[0].what} (also found: 1 of drift)"


def test_the_reason_is_what_explains_most_and_stays_one_line() -> None:
    drifts = tuple(
        {"feature": f"f{number}", "what": "drift", "value": number / 10, "threshold": 0.05} for number in range(1, 6)
    )
    found = find(measured(measures=drifts, rates={"0": Rate(10_000, 10_000)}), BEFORE, RULES)
    assert kinds(found) == ["label_rate", *["drift"] * 5]
    assert reason(found).endswith("expected 3.00% to 12.00% (also found: 5 of drift)")
    told = reason(found[1:])
    assert told.startswith("f5 differs by 0.500") and told.endswith("; and 2 more") and "\n" not in told
