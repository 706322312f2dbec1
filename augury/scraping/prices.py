"""Prices as shops write them: the text is kept, and read where it can only mean one thing."""

import re
from decimal import Decimal

_NUMBER = re.compile(
    r"(?<![\w.,])-?\d{1,3}(?:[.,'\u2019\s]\d{3})+(?:[.,]\d{1,2})?(?![\d])|(?<![\w.,])-?\d+(?:[.,]\d{1,3})?(?!\d)"
)
_CODES = re.compile(r"\b(AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|KRW|NOK|NZD|PLN|RON|SEK|TRY|USD|ZAR)\b")
_SYMBOLS = {"US$": "USD", "€": "EUR", "£": "GBP", "zł": "PLN", "₹": "INR", "₩": "KRW", "₺": "TRY", "Kč": "CZK"}
"""Symbols that mean one currency; $, kr and ¥ mean several."""


def parse_price(text: str) -> tuple[Decimal | None, str]:
    """Reads an amount and its currency.

    A comma or point is decimal before one or two digits and groups thousands before three, unless a 0 stands before it;
    of two different ones the last is decimal. A text with two different amounts (``30 now 20``) means neither.

    Args:
        text: as the shop shows it.

    Returns:
        The amount, None where there is none or more than one; ISO 4217 code, empty where it is not certain.
    """
    text = " ".join(text.split())
    codes = {match.upper() for match in _CODES.findall(text)}
    codes |= {code for symbol, code in _SYMBOLS.items() if symbol in text}
    currency = codes.pop() if len(codes) == 1 else ""
    marked = re.sub(_CODES, " ", text)
    for symbol in (*_SYMBOLS, "$", "¥", "kr", ",-", ".-"):
        marked = marked.replace(symbol, " ")
    amounts = {amount for found in _NUMBER.findall(marked) if (amount := _amount(found)) >= 0}
    return (amounts.pop() if len(amounts) == 1 else None), currency


def _amount(number: str) -> Decimal:
    number = re.sub(r"['\u2019\s]", "", number)
    last = max(number.rfind("."), number.rfind(","))
    if last < 0:
        return Decimal(number)
    head, tail = number[:last], number[last + 1 :]
    other = "," if number[last] == "." else "."
    grouped = len(tail) == 3 and head not in ("0", "-0") and other not in head
    head = head.replace(".", "").replace(",", "")
    return Decimal(head + tail) if grouped else Decimal(f"{head}.{tail}")
