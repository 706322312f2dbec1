"""Clicks that the browser library recorded, as points on a screenshot of the page they were made on.

A click is recorded in CSS pixels of the page (``x``, ``y``) with the size of the page and of the window then. A page is
laid out anew for every width, so clicks are told apart by the window's width, and only those of the screenshot's own
range of widths can be put on it: ``x`` as a share of the page's width, ``y`` by the same scale from the top.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import plain
from features.errors import AuguryError

CLICK = "Element Clicked"
"""The event that the browser library sends."""

REQUIRED_COLUMNS = ("message_id", "anonymous_id", "event", "url", "properties")
"""The columns of ``EVENT_SCHEMA`` that are looked at."""

BREAKPOINTS = (768, 1200)
"""Widths of the window, CSS pixels, at which most layouts change: below the first is a phone."""

NOT_OF_PAGE, NO_POSITION, COPY = "other_page", "no_position", "copy"

_NUMBERS = ("x", "y", "page_width", "page_height", "viewport_width")
_LONGEST = 1_000_000

Floats = npt.NDArray[np.float64]


class ClicksError(AuguryError, ValueError):
    """Clicks, a page or widths that cannot be."""


@dataclass(frozen=True)
class Clicks:
    """N clicks on one page.

    Attributes:
        visitors: int64 (N,) number of who clicked.
        x: float64 (N,) CSS pixels from the left of the page.
        y: float64 (N,) CSS pixels from its top.
        page_width: float64 (N,) of the page.
        page_height: float64 (N,) of the page.
        viewport_width: float64 (N,) of the window.
    """

    visitors: npt.NDArray[np.int64]
    x: Floats
    y: Floats
    page_width: Floats
    page_height: Floats
    viewport_width: Floats

    def __len__(self) -> int:
        return len(self.x)

    def take(self, mask: npt.NDArray[np.bool_]) -> "Clicks":
        """Returns the clicks where bool (N,) holds."""
        return Clicks(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Placed:
    """Clicks on a screenshot.

    Attributes:
        points: float64 (N, 2) of x and y in the screenshot's pixels, all inside it.
        visitors: int64 (N,) number of who clicked.
        outside: how many lay outside: below the end of the screenshot, or beside the page.
    """

    points: Floats
    visitors: npt.NDArray[np.int64]
    outside: int


def page_key(url: str) -> str:
    """Returns what two addresses of one page have in common: host and path, or the path alone of one without a host.

    Raises:
        ClicksError: it is no address of a page.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError as e:
        raise ClicksError(f"page {url!r} is no address ({e}); expected https://shop.example/shoes or /shoes") from e
    path = parts.path.rstrip("/") or "/"
    if not parts.netloc and not parts.path.startswith("/"):
        raise ClicksError(f"page {url!r} is no address; expected https://shop.example/shoes, or the path alone: /shoes")
    return f"{parts.netloc.lower()}{path}"


def clicks_on(batches: Iterable[pa.RecordBatch], page: str, most: int) -> tuple[Clicks, dict[str, int]]:
    """Returns the clicks on a page, and how many others there were, by reason.

    Args:
        batches: canonical events, with ``REQUIRED_COLUMNS``.
        page: its address; of a path alone every host counts.
        most: clicks at most; memory is bounded by it.

    Raises:
        ClicksError: more clicks than that.
    """
    wanted = page_key(page)
    seen: set[tuple[str, str]] = set()
    names: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    left_out = {NOT_OF_PAGE: 0, NO_POSITION: 0, COPY: 0}
    for batch in batches:
        clicked = batch.filter(pc.equal(plain(batch.column("event")), CLICK))
        urls = plain(clicked.column("url")).dictionary_encode()
        of_page = np.array([*(_is_page(url, wanted) for url in urls.dictionary.to_pylist()), False], np.bool_)
        mask = of_page[pc.fill_null(urls.indices, len(of_page) - 1).to_numpy(False)]
        left_out[NOT_OF_PAGE] += int((~mask).sum())
        there = clicked.filter(pa.array(mask))
        for visitor, message, text in zip(
            *(plain(there.column(name)).to_pylist() for name in ("anonymous_id", "message_id", "properties")),
            strict=True,
        ):
            if (visitor, message) in seen:
                left_out[COPY] += 1
                continue
            seen.add((visitor, message))
            numbers = _numbers(text)
            if numbers is None:
                left_out[NO_POSITION] += 1
                continue
            rows.append((names.setdefault(visitor, len(names)), *numbers))
            if len(rows) > most:
                raise ClicksError(f"more than {most:,} clicks on {page}; read fewer days of events")
    columns = np.array(rows, np.float64).reshape(len(rows), 1 + len(_NUMBERS)).T
    found = Clicks(columns[0].astype(np.int64), *columns[1:])
    return found, {reason: number for reason, number in left_out.items() if number}


def width_ranges(breakpoints: Sequence[int] = BREAKPOINTS) -> list[tuple[int, int | None]]:
    """Returns the ranges of window widths that breakpoints part: from, inclusive, and up to, exclusive (None: any).

    Raises:
        ClicksError: they do not rise, or one is not above 0.
    """
    if any(width <= 0 for width in breakpoints) or list(breakpoints) != sorted({*breakpoints}):
        raise ClicksError(f"breakpoints {list(breakpoints)}; expected rising widths above 0, such as 768 and 1200")
    return list(zip([0, *breakpoints], [*breakpoints, None], strict=True))


def in_range(clicks: Clicks, bounds: tuple[int, int | None]) -> npt.NDArray[np.bool_]:
    """Says which clicks, bool (N,), were made in a window of a range of widths."""
    low, high = bounds
    found: npt.NDArray[np.bool_] = clicks.viewport_width >= low
    return found if high is None else found & (clicks.viewport_width < high)


def place_clicks(clicks: Clicks, width: int, height: int) -> Placed:
    """Returns clicks as points on a screenshot of ``width`` x ``height`` pixels.

    The page's width, whatever it was, is the screenshot's; heights are scaled alike, since text and pictures keep their
    place from the top better than their share of a page whose length varies.
    """
    scale = width / clicks.page_width
    x, y = clicks.x * scale, clicks.y * scale
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Placed(np.column_stack([x, y])[inside], clicks.visitors[inside], int((~inside).sum()))


def _is_page(url: str | None, wanted: str) -> bool:
    if not url:
        return False
    try:
        key = page_key(url)
    except ClicksError:
        return False
    return key == wanted or (wanted.startswith("/") and key[max(key.find("/"), 0) :] == wanted)


def _numbers(text: str | None) -> tuple[float, ...] | None:
    try:
        given = orjson.loads(text or "")
        found = tuple(float(given[name]) for name in _NUMBERS if type(given[name]) in (int, float))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    sizes_fit = len(found) == len(_NUMBERS) and all(np.isfinite(found)) and min(found[2:]) >= 1
    return found if sizes_fit and max(map(abs, found)) <= _LONGEST else None
