"""The walk through a shop's listings: page by page, item by item, in the order in which the shop shows them.

The walk is the same every time; what the state has of this run is not fetched again. So a scrape that was killed comes
to the same end as one that was not.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from augury.scraping.client import Client
from augury.scraping.images import IMAGE, Images
from augury.scraping.manifest import Outcome, product_id
from augury.scraping.options import ScrapeOptions
from augury.scraping.pages import TOO_COMPLEX, Page, PageError, read_detail, read_listing
from augury.scraping.politeness import Clock, RefusedError, may_pass
from augury.scraping.recipe import Recipe
from augury.scraping.state import Got, State, as_json
from features.fetching import FetchError

PAGE = "page"
DETAIL = "detail"
ITEM = "item"
DUPLICATE_PRODUCT = "duplicate_product"
DUPLICATE_IMAGE = "duplicate_image"
NO_ITEMS = "no_items"

LAST_PAGE = "last page"
LOOP = "page seen before"
NOTHING_NEW = "page without a new item"
MOST_PAGES = "max_pages of the recipe"
FAILED = "page failed"
MOST_PRODUCTS = "--max-products"
MOST_BYTES = "--max-bytes"

_Reader = Callable[[bytes, str | None, str, Recipe], Page]


class _EnoughError(Exception):
    """A limit of the options is reached."""


class Walk:
    """One walk.

    Attributes:
        outcome: what came of it.
        ends: why each list of pages ended, by its start page.
        paused: whether a limit ended it that another run lifts.
    """

    def __init__(self, recipe: Recipe, options: ScrapeOptions, client: Client, state: State, clock: Clock) -> None:
        self._recipe, self._options, self._client = recipe, options, client
        self._state, self._clock = state, clock
        self._images = Images(options.folder, client, state, clock)
        self.outcome = Outcome()
        self.ends: dict[str, str] = {}
        self.paused = False
        self.pages = self.items = self.images = 0
        self._seen: set[str] = set()
        self._products: set[str] = set()
        self._here: set[str] = set()
        self._contents: dict[str, str] = {}

    def go(self) -> None:
        """Walks until everything is got, or a limit is reached."""
        for start in self._recipe.start:
            try:
                self.ends[start] = self._list(start)
            except _EnoughError as enough:
                self.ends[start] = str(enough)
                self.paused = str(enough) == MOST_BYTES
                return

    def _list(self, url: str) -> str:
        """Follows one list of pages; returns why it ended."""
        self._here = set()
        while True:
            if url in self._seen:
                return LOOP
            if len(self._seen) >= self._recipe.max_pages:
                return MOST_PAGES
            self._seen.add(url)
            page = self._page(PAGE, url, read_listing, "")
            if page is None:
                return FAILED
            if not page.items:
                self.outcome.reject(PAGE, NO_ITEMS, url, "", "the item selector finds nothing on it")
            new = [self._item(item, url) for item in page.items]
            if not page.next:
                return LAST_PAGE
            if not any(new):
                return NOTHING_NEW
            url = page.next

    def _page(self, kind: str, url: str, read: _Reader, page_url: str) -> Page | None:
        """Returns what is on a page; None, and a dead letter, where it cannot be had."""
        self.pages += 1
        known = self._state.get(kind, url)
        if known is None or known.run != self._state.run:
            self._check_bytes()
            known = self._fetched(kind, url, read, known)
            self._state.put(kind, url, known)
        if known.reason:
            self.outcome.reject(PAGE, known.reason, url, page_url, known.detail)
            return None
        content = json.loads(known.content)
        return Page(tuple(content["items"]), content["next"])

    def _fetched(self, kind: str, url: str, read: _Reader, known: Got | None) -> Got:
        run, mark = self._state.run, self._recipe.fingerprint()
        usable = known is not None and json.loads(known.content).get("recipe") == mark
        try:
            found = self._client.page(url, known.conditions() if known is not None and usable else {})
            if found.status == 304 and known is not None:
                self._client.counts["pages unchanged"] += 1
                return replace(known, run=run)
            self._client.counts["pages downloaded"] += 1
            page = read(found.content, found.charset, found.url, self._recipe)
        except (FetchError, RefusedError) as error:
            if known is not None and usable and not known.reason and may_pass(error):
                self._client.counts["pages kept, for not reachable"] += 1
                return replace(known, run=run)
            return Got(run, error.reason, str(error))
        except PageError as error:
            return Got(run, TOO_COMPLEX, str(error))
        content = {"recipe": mark, "items": [dict(item) for item in page.items], "next": page.next}
        headers = found.headers
        etag, modified = headers.get("etag", "")[:1000], headers.get("last-modified", "")[:100]
        return Got(run, "", "", etag, modified, self._clock.now_us(), as_json(content))

    def _item(self, item: Mapping[str, str], page_url: str) -> bool:
        """Takes one item; says whether this list did not have it before."""
        self.items += 1
        url = item.get("url", "")
        key = url or item.get("image") or " ".join(item.values())
        new_here, new = key not in self._here, key not in self._products
        self._here.add(key)
        self._products.add(key)
        if not new:
            self.outcome.reject(ITEM, DUPLICATE_PRODUCT, key, page_url, item.get("name", ""))
            return new_here
        if self._recipe.detail and url:
            found = self._page(DETAIL, url, read_detail, page_url)
            if found is None:
                return new_here
            item = {**item, **{name: value for name, value in found.items[0].items() if value}}
        missing = [name for name in dict.fromkeys(("image", *self._recipe.required)) if not item.get(name)]
        if missing:
            said = f"{item.get('brand', '')} {item.get('name', '')}".strip()
            self.outcome.reject(ITEM, f"no_{missing[0]}", url, page_url, said)
        else:
            self._image(item, page_url)
        return new_here

    def _image(self, item: Mapping[str, str], page_url: str) -> None:
        url = item["image"]
        self._check_bytes()
        self.images += 1
        got = self._images.get(url)
        if got.reason:
            self.outcome.reject(IMAGE, got.reason, url, page_url, got.detail)
            return
        image: dict[str, Any] = json.loads(got.content)
        first = self._contents.setdefault(image["sha256"], product_id(item))
        if first != product_id(item):
            self.outcome.reject(IMAGE, DUPLICATE_IMAGE, url, page_url, f"the same as that of product {first}")
            return
        self.outcome.add(item, image, got.fetched_at_us, page_url)
        if self._options.max_products is not None and len(self.outcome.products) >= self._options.max_products:
            raise _EnoughError(MOST_PRODUCTS)

    def _check_bytes(self) -> None:
        if self._options.max_bytes is not None and self._client.counts["bytes"] >= self._options.max_bytes:
            raise _EnoughError(MOST_BYTES)


def shares(walk: Walk) -> Iterator[tuple[str, int, int]]:
    """Yields pages and images: (what, failed, asked for). What robots.txt forbids, or is there twice, did not fail."""
    no_failure = {NO_ITEMS, DUPLICATE_IMAGE}
    for what, asked in ((PAGE, walk.pages), (IMAGE, walk.images)):
        bad = sum(
            count
            for (kind, reason), count in walk.outcome.rejected.items()
            if kind == what and reason not in no_failure and not reason.startswith("robots_")
        )
        yield what, bad, max(asked, bad)
