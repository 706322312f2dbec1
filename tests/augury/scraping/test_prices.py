"""Prices as shops write them, read by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augury.scraping.prices import parse_price


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("19,90 €", "19.90", "EUR"),
        ("€1,299.00", "1299.00", "EUR"),
        ("1.299,00 EUR", "1299.00", "EUR"),
        ("1\u00a0299,00 zł", "1299.00", "PLN"),
        ("CHF 1'299.-", "1299", "CHF"),
        ("1,299", "1299", ""),
        ("1.299", "1299", ""),
        ("0.299", "0.299", ""),
        ("1.234.567", "1234567", ""),
        ("12,345.6", "12345.6", ""),
        ("US$ 20", "20", "USD"),
        ("$20.50", "20.50", ""),
        ("20,-", "20", ""),
        ("from 20 GBP", "20", "GBP"),
        ("12.50 (12.50)", "12.50", ""),
        ("was 30 € now 20 €", None, "EUR"),
        ("3 for 10", None, ""),
        ("20 EUR / 22 USD", None, ""),
        ("sold out", None, ""),
        ("-5 €", None, "EUR"),
        ("", None, ""),
    ],
)
def test_prices(text: str, amount: str | None, currency: str) -> None:
    assert parse_price(text) == (None if amount is None else Decimal(amount), currency)


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", ".")]))
def test_groups_and_decimals_of_any_country(whole: int, cents: int, marks: tuple[str, str]) -> None:
    group, decimal = marks
    text = f"{whole:,}".replace(",", group) + f"{decimal}{cents:02d} €"
    assert parse_price(text) == (Decimal(f"{whole}.{cents:02d}"), "EUR")


@given(st.text(max_size=1000))
def test_any_text(text: str) -> None:
    parse_price(text)
