"""How values are written for people."""

import pytest

from serving.console import shown


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (shown.number(-1234.5, 1), "\N{MINUS SIGN}1,234.5"),
        (shown.number(None), "\N{EN DASH}"),
        (shown.number(float("nan")), "\N{EN DASH}"),
        (shown.figure(0.74405), "0.7440"),
        (shown.figure(12345.6), "12,346"),
        (shown.figure(None), "\N{EN DASH}"),
        (shown.signed(-0.013), "\N{MINUS SIGN}0.0130"),
        (shown.signed(None), "\N{EN DASH}"),
        (shown.percent(0.1234), "12.3 %"),
        (shown.points(-0.0153, 2), "\N{MINUS SIGN}1.53 pp"),
        (shown.moment(1_790_000_000_000_000), "2026-09-21 14:13"),
        (shown.moment_exactly(1_790_000_001_000_000), "2026-09-21 14:13:21"),
        (shown.machine_time(1_790_000_000_250_000), "2026-09-21T14:13:20.250Z"),
        (shown.megabytes(1_540_000), "1.5 MB"),
        (shown.metric_name("ece"), "calibration error"),
        (shown.metric_name("click_through.auc"), "click through · AUC"),
        (shown.metric_name("made_up"), "made up"),
        (shown.seconds(12.4), "12 s"),
        (shown.seconds(150), "2 min"),
        (shown.short_version("20260921T141320Z-0123456789abcdef"), "2026-09-21 14:13 · 012345"),
        (shown.short_version("another"), "another"),
    ],
)
def test_values(made: str, expected: str) -> None:
    assert made == expected
