from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.times import UNITS, parse_iso, parse_mixed, parse_numbers, parse_text

NOON_US = 1_714_564_800_000_000  # 2024-05-01T12:00:00Z
MIDNIGHT_US = NOON_US - 12 * 3_600_000_000


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2024-05-01T12:00:00Z", NOON_US),
        ("2024-05-01T12:00:00z", NOON_US),
        ("2024-05-01 12:00:00 UTC", NOON_US),
        ("2024-05-01T12:00Z", NOON_US),
        ("2024-05-01T12:00:00.5", NOON_US + 500_000),
        ("2024-05-01T12:00:00.123456789Z", NOON_US + 123_456),
        ("2024-05-01T12:00:00.123456789+00:00", NOON_US + 123_456),
        ("2024-05-01T06:30:00-0530", NOON_US),
        ("2024-05-01T13:00:00+01", NOON_US),
        ("  2024-05-01T12:00:00Z ", NOON_US),
        ("2024-05-01", MIDNIGHT_US),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2024-05-01T12:00:60Z", None),
        ("2024-05-01T24:00:00Z", None),
        ("2024-13-01", None),
        ("2023-02-29", None),
        ("01/05/2024", None),
        ("2024-05-01T12", None),
        ("20240501", None),
        ("", None),
        (None, None),
    ],
)
def test_iso_times(text: str | None, time_us: int | None):
    good = "2024-05-01T12:00:00Z"
    assert parse_iso(pa.array([good, text, good], pa.string())).to_pylist() == [NOON_US, time_us, NOON_US]
    assert parse_iso(pa.array([text], pa.string())).to_pylist() == [time_us]


def test_one_bad_time_among_many_spoils_no_other():
    texts = [f"2024-05-01T12:{i // 60 % 60:02d}:{i % 60:02d}Z" for i in range(1000)]
    texts[17] = texts[900] = "2024-02-30T00:00:00Z"
    parsed = parse_iso(pa.array(texts)).to_pylist()
    assert [i for i, value in enumerate(parsed) if value is None] == [17, 900]
    assert parsed[999] == NOON_US + 999_000_000


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_iso_times_agree_with_the_standard_library(moment: datetime):
    seconds = moment - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (seconds.days * 86_400 + seconds.seconds) * 1_000_000 + seconds.microseconds
    texts = [moment.isoformat(), moment.isoformat(" ").removesuffix("+00:00")]
    assert parse_iso(pa.array(texts)).to_pylist() == [expected, expected]


@given(st.lists(st.none() | st.text() | st.text(alphabet="0123456789-+:.TZe ", max_size=24)))
def test_any_text_is_a_time_or_null(texts: list[str | None]):
    for unit in ("iso", "auto", *UNITS):
        parsed = parse_text(pa.array(texts, pa.string()), unit)
        assert parsed.type == pa.int64()
        assert len(parsed) == len(texts)
        alone = [parse_text(pa.array([text], pa.string()), unit)[0].as_py() for text in texts]
        assert parsed.to_pylist() == alone  # a time does not depend on its neighbours


@pytest.mark.parametrize(
    ("value", "unit", "time_us"),
    [
        (1_714_564_800, "s", NOON_US),
        (1_714_564_800_123, "ms", NOON_US + 123_000),
        (NOON_US, "us", NOON_US),
        (NOON_US * 1000 + 999, "ns", NOON_US),
        (2**62, "s", None),
        (-1, "s", -1_000_000),
        (0.25, "s", 250_000),
        (float("nan"), "s", None),
        (float("inf"), "ms", None),
        (1e300, "s", None),
        (1_714_564_800, "auto", NOON_US),
        (1_714_564_800_000, "auto", NOON_US),
        (NOON_US, "auto", NOON_US),
        (NOON_US * 1000, "auto", NOON_US),
    ],
)
def test_numbers_in_every_unit(value: float, unit: str, time_us: int | None):
    assert parse_numbers(pa.array([value, None], from_pandas=False), unit).to_pylist() == [time_us, None]


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint32(), pa.uint64(), pa.float32(), pa.int64()])
def test_numbers_of_every_width(kind: pa.DataType):
    assert parse_numbers(pa.array([1_000_000_000]).cast(kind, safe=False), "s").to_pylist() == [10**15]


def test_unsigned_numbers_beyond_int64_are_no_time():
    assert parse_numbers(pa.array([2**64 - 1, 1], pa.uint64()), "us").to_pylist() == [None, 1]


def test_nanoseconds_as_text_lose_no_digit():
    assert parse_text(pa.array(["1714564800000000999", "x"]), "ns").to_pylist() == [NOON_US, None]


def test_values_of_json():
    values: list[Any] = ["2024-05-01T12:00:00Z", 1_714_564_800, None, "", "soon", True, {}, [1], 2**90, 1.5e9]
    times_us, bad = parse_mixed(values)
    assert times_us.to_pylist() == [NOON_US, NOON_US, *[None] * 7, 15 * 10**14]
    assert bad.tolist() == [False, False, False, False, True, True, True, True, True, False]
    assert parse_mixed([])[1].dtype == np.bool_
