"""What a page says: its items by a recipe, and where it goes on. A page is data from a stranger: nothing of it runs."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from augury.scraping.recipe import ITEM, FieldRule, Recipe

TOO_COMPLEX = "page_too_complex"
MOST_TAGS = 100_000
MOST_DEPTH = 256
MOST_ITEMS = 10_000
MOST_CHARACTERS = 1000

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LATIN = ("iso-8859-1", "latin1", "us-ascii", "ascii")
_LAZY = ("srcset", "data-srcset", "data-src", "data-original", "data-lazy-src", "src", "href", "content")
_CANDIDATE = re.compile(r"\s*([^\s,]\S*[^\s,]|[^\s,])(?:\s+([\d.]+)([wx]))?\s*(?:,|$)")


# What a start tag ends that was left open, and what lies between keeps it open (HTML standard, section 13.1.2.4).
_ENDS = {
    "li": (("li",), ("ul", "ol", "menu")),
    "dt": (("dt", "dd"), ("dl",)),
    "dd": (("dt", "dd"), ("dl",)),
    "option": (("option",), ("select",)),
    "tr": (("tr",), ("table",)),
    "td": (("td", "th"), ("tr", "table")),
    "th": (("td", "th"), ("tr", "table")),
}


class PageError(Exception):
    """A page that is not worked on: its reason is ``TOO_COMPLEX``."""


@dataclass(frozen=True)
class Page:
    """What was taken of one page.

    Attributes:
        items: of each item, field -> value, empty where the page has none; URLs are absolute.
        next: the page it goes on to, or empty.
    """

    items: tuple[Mapping[str, str], ...]
    next: str


def decode_page(content: bytes, charset: str | None) -> str:
    """Returns the text of a page, never failing.

    The encoding is that of a byte order mark, else of the answer's header, else of a ``<meta>`` in the first 1,024
    bytes, else UTF-8 where all of it is, else windows-1252 (the order of the WHATWG HTML standard, section 13.2.3).
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    declared = _CHARSET.search(content[:1024])
    # By the standard a <meta> that can be read at all is not UTF-16, and Latin 1 is windows-1252.
    said = declared[1].decode("ascii").lower() if declared else ""
    for name in (charset or "", "utf-8" if said.startswith("utf-16") else said):
        if name:
            with suppress(LookupError, UnicodeError, ValueError):
                return content.decode("cp1252" if name in _LATIN else name, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_listing(content: bytes, charset: str | None, url: str, recipe: Recipe) -> Page:
    """Reads a page of a listing.

    Raises:
        PageError: it has too many elements, or they are too deeply nested.
    """
    soup, base = _parsed(content, charset, url)
    items = soup.select(recipe.item, limit=MOST_ITEMS + 1)
    if len(items) > MOST_ITEMS:
        raise PageError(f"more than {MOST_ITEMS} items")
    onward = _value("next", recipe.next, soup, base) if recipe.next else ""
    owners = {id(item) for item in items}
    return Page(tuple(_fields(recipe.fields, item, base, owners) for item in items), onward)


def read_detail(content: bytes, charset: str | None, url: str, recipe: Recipe) -> Page:
    """Reads the page of one product: one item, that of ``[detail]``.

    Raises:
        PageError: as for ``read_listing``.
    """
    soup, base = _parsed(content, charset, url)
    return Page((_fields(recipe.detail, soup, base),), "")


def _parsed(content: bytes, charset: str | None, url: str) -> tuple[BeautifulSoup, str]:
    text = decode_page(content, charset)
    if text.count("<") > 2 * MOST_TAGS:
        raise PageError(f"more than {2 * MOST_TAGS} tags")
    soup = _Soup(text, "html.parser")
    depths = {id(soup): 0}
    for tag in soup.find_all(True):
        depth = depths[id(tag)] = depths.get(id(tag.parent), 0) + 1
        if depth > MOST_DEPTH or len(depths) > MOST_TAGS:
            raise PageError(f"more than {MOST_TAGS} elements, or {MOST_DEPTH} within one another")
    base = soup.select_one("base[href]")
    return soup, _absolute(url, str(base["href"])) or url if base is not None else url


class _Soup(BeautifulSoup):
    """Python's parser knows no end tags that may be left out: unclosed items would lie within one another."""

    def handle_starttag(self, name: str, *given: Any, **more: Any) -> Tag | None:
        ended, kept = _ENDS.get(name, ((), ()))
        tag, steps = self.currentTag, 0
        while ended and tag is not None and tag.name not in kept and steps < 32:
            if tag.name in ended:
                self.handle_endtag(tag.name)
                break
            tag, steps = tag.parent, steps + 1
        return super().handle_starttag(name, *given, **more)


def _fields(rules: Mapping[str, FieldRule], item: Tag, base: str, owners: Collection[int] = ()) -> dict[str, str]:
    return {name: _value(name, rule, item, base, owners) for name, rule in rules.items()}


def _first(item: Tag, select: str, owners: Collection[int]) -> Tag | None:
    """Returns the first element that belongs to the item itself, not to another that lies in it by mistake."""
    for found in item.select(select):
        if next((parent for parent in found.parents if id(parent) in owners or parent is item), item) is item:
            return found
    return None


def _value(name: str, rule: FieldRule, item: Tag, base: str, owners: Collection[int] = ()) -> str:
    if rule.constant:
        return rule.constant
    found = item if rule.select == ITEM else _first(item, rule.select, owners)
    if found is None:
        return ""
    for raw in _raw(name, rule, found):
        text = _plain(raw)
        if rule.regex:
            match = re.search(rule.regex, text)
            text = (match[1] or "" if match.re.groups else match[0]) if match else ""
        if text and name in ("image", "url", "next"):
            text = _absolute(base, text)
        if text:
            return text
    return ""


def _raw(name: str, rule: FieldRule, found: Tag) -> Iterator[str]:
    attributes = (rule.attribute,) if rule.attribute else _LAZY if name == "image" else ()
    if not attributes:
        yield found.get_text(" ")
    for attribute in attributes:
        value = found.get(attribute)
        text = " ".join(value) if isinstance(value, list) else str(value or "")
        if attribute.endswith("srcset"):
            yield _largest(text)
        elif not text.strip().lower().startswith("data:"):  # an empty picture until a script puts the real one there
            yield text


def _largest(srcset: str) -> str:
    """Returns the URL of the widest or densest image that a ``srcset`` offers (HTML standard, section 4.8.4.2.1)."""
    best, most = "", -1.0
    for url, size, _ in _CANDIDATE.findall(srcset[:20_000]):
        width = float(size) if re.fullmatch(r"\d+(\.\d+)?", size) else 1.0
        if width > most:
            best, most = url, width
    return best


def _plain(text: str) -> str:
    """Returns the text on one line, spaces collapsed, control characters left out, cut at ``MOST_CHARACTERS``."""
    return "".join(c for c in " ".join(text[: 20 * MOST_CHARACTERS].split()) if c.isprintable())[:MOST_CHARACTERS]


def _absolute(base: str, text: str) -> str:
    """Returns an absolute http(s) URL without a fragment, or an empty text."""
    try:
        url = urljoin(base, text.strip())
        return urlsplit(url)._replace(fragment="").geturl() if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""
