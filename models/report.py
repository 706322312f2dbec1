"""What the reports of all families share: one HTML page, its skeleton and parts, how numbers and cards are shown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, Template

_SHARED = ("report.html.jinja", "report_parts.jinja")
_PAGE = "page"


def open_page(package: str) -> Template:
    """Returns the template ``report.html.jinja`` of a package, which extends the one beside this module.

    The page that it renders has no script and no external resource, and escapes all data. Its filters are ``number``,
    ``percent``, ``signed`` and ``day``.
    """
    texts = {name: files("models").joinpath(name).read_text(encoding="utf-8") for name in _SHARED}
    texts[_PAGE] = files(package).joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(loader=DictLoader(texts), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "percent": percent, "signed": signed, "day": day}
    return environment.get_template(_PAGE)


def card_rows(card: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields what a card says as (name, text); nested names are joined by dots, what is None is left out."""
    for key, found in card.items():
        if isinstance(found, Mapping):
            yield from card_rows(found, f"{prefix}{key}.")
        elif isinstance(found, Sequence) and not isinstance(found, str):
            yield f"{prefix}{key}", ", ".join(map(str, found))
        elif key.endswith("_us") and isinstance(found, int):
            yield f"{prefix}{key}", day(found)
        elif found is not None:
            yield f"{prefix}{key}", f"{found:.6g}" if isinstance(found, float) else str(found)


def number(value: float | None, digits: int = 0) -> str:
    """Returns a number with thousands parted by commas; a dash for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """Returns a share in percent; a dash for None."""
    return "-" if value is None else f"{value:.{digits}%}".replace("%", " %")


def signed(value: float, digits: int = 4) -> str:
    """Returns a difference with its sign, minus being a minus sign and no hyphen."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def day(time_us: int) -> str:
    """Returns a time, microseconds, to the minute, in UTC."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
