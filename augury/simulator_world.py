"""The simulated shop: its pages, items, campaigns and the browsers that visit it.

All of it is fixed: the seed of a simulation chooses visitors, never the shop, so that a model trained on one simulated
data set can be tried on another. Hosts are those reserved for documentation (RFC 2606) but for public sites that refer
visitors.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

HOME, CATEGORY, SEARCH, PRODUCT, ADD, REMOVE, CART, CHECKOUT, HELP, SIGNUP, ORDER = range(11)
"""What an event can be. ``ORDER`` is the purchase itself, hidden from every instance."""

KINDS: Final = 10
"""The number of visible kinds: all but ``ORDER``."""

EVENT_TYPES: Final = ("page", "page", *("track",) * 6, "page", "track", "track")
"""Segment's ``type`` by kind."""

EVENT_NAMES: Final = (
    "Page Viewed",
    "Page Viewed",
    "Products Searched",
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Cart Viewed",
    "Checkout Started",
    "Page Viewed",
    "Signed Up",
    "Order Completed",
)
"""The canonical event name by kind, after Segment's e-commerce specification."""

SHOP: Final = "https://www.shop.example"

CATEGORIES: Final = (
    "shoes",
    "boots",
    "coats",
    "knitwear",
    "shirts",
    "jeans",
    "bags",
    "watches",
    "lamps",
    "rugs",
    "kitchen",
    "bedding",
)

_ADJECTIVES = "soft light warm slim wide dark pale plain bold small tall round smooth rough bright quiet".split()
_MATERIALS = "linen wool leather cotton suede denim canvas oak steel glass clay silk cork felt brass jute".split()
_HELP_PAGES = ("help/shipping", "help/returns", "help/sizes", "help/payment", "about", "stores", "journal/care-guide")

ITEMS: Final = 3600
ITEMS_PER_CATEGORY: Final = ITEMS // len(CATEGORIES)
SEARCHES: Final = len(CATEGORIES) * len(_MATERIALS)

MEDIUMS: Final = ("none", "email", "cpc", "social")
"""Campaign mediums; 0 is a visit that no campaign brought."""

CAMPAIGNS: Final = (
    ("", 0),
    ("utm_source=newsletter&utm_medium=email&utm_campaign=autumn-sale", 1),
    ("utm_source=newsletter&utm_medium=email&utm_campaign=new-arrivals", 1),
    ("utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=EAIaIQobChMI", 2),
    ("utm_source=bing&utm_medium=cpc&utm_campaign=generic", 2),
    ("utm_source=instagram&utm_medium=social&utm_campaign=autumn-looks", 3),
    ("utm_source=facebook&utm_medium=social&utm_campaign=autumn-looks", 3),
)
"""Campaign tags of a landing URL, and the index of their medium."""

CAMPAIGN_SHARES: Final = np.array([0.58, 0.08, 0.06, 0.10, 0.04, 0.09, 0.05])

REFERRERS: Final = (
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://duckduckgo.com/",
    "https://blog.example.org/best-of-autumn",
    "https://www.instagram.com/",
    "https://www.facebook.com/",
    "https://mail.google.com/",
)

CAMPAIGN_REFERRERS: Final = (None, 6, None, 0, 1, 4, 5)
"""By campaign, the index of the site that sends the visitor; None lets an uncampaigned or mailed visit draw its own."""

DESKTOP, MOBILE, TABLET = range(3)
DEVICES: Final = ("desktop", "mobile", "tablet")
DEVICE_SHARES: Final = np.array([0.46, 0.46, 0.08])

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version"
_MOBILE_SAFARI = "Mobile/15E148 Safari/604.1"
_PHONES = ("Pixel 8", "Pixel 7a", "SM-S918B", "SM-A546B", "SM-G991B", "moto g power (2022)", "M2101K6G")
_TABLETS = ("SM-X710", "SM-T870", "Lenovo TB-X606F")

_DESKTOPS = (
    *(f"{system} {_CHROME}/{v}.0.0.0 Safari/537.36" for v in (126, 128, 129) for system in (_WINDOWS, _MAC, _LINUX)),
    *(f"{_WINDOWS} {_CHROME}/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0" for v in (128, 129)),
    *(f"{system[:-1]}; rv:130.0) Gecko/20100101 Firefox/130.0" for system in (_WINDOWS, _LINUX)),
    *(f"{_MAC} {_APPLE}/{v} Safari/605.1.15" for v in ("16.6", "17.5", "18.0")),
)
_MOBILES = (
    *(
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {v.replace('.', '_')} like Mac OS X) {_APPLE}/{v} {_MOBILE_SAFARI}"
        for v in ("16.6", "17.4", "17.6", "18.0")
    ),
    *(
        f"Mozilla/5.0 (Linux; Android {13 + i % 2}; {phone}) {_CHROME}/{127 + i % 3}.0.0.0 Mobile Safari/537.36"
        for i, phone in enumerate(_PHONES)
    ),
    "Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0",
)
_TABLET_AGENTS = (
    *(
        f"Mozilla/5.0 (iPad; CPU OS {v.replace('.', '_')} like Mac OS X) {_APPLE}/{v} {_MOBILE_SAFARI}"
        for v in ("15.6", "16.6")
    ),
    *(f"Mozilla/5.0 (Linux; Android 13; {tablet}) {_CHROME}/128.0.0.0 Safari/537.36" for tablet in _TABLETS),
)
_BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
)

USER_AGENTS: Final = (*_DESKTOPS, *_MOBILES, *_TABLET_AGENTS, *_BOTS)
"""User agents of people, device by device, then those of bots."""

AGENT_DEVICES: Final = np.repeat([DESKTOP, MOBILE, TABLET], [len(_DESKTOPS), len(_MOBILES), len(_TABLET_AGENTS)])
"""int64 (people's user agents,): the device of each."""

DEVICE_AGENTS: Final = np.array([(AGENT_DEVICES == device).sum() for device in range(3)])
FIRST_AGENT: Final = np.concatenate([[0], np.cumsum(DEVICE_AGENTS)])
"""Agents ``FIRST_AGENT[d]`` to ``FIRST_AGENT[d + 1] - 1`` belong to device d; from ``FIRST_AGENT[3]`` on: bots."""


@dataclass(frozen=True)
class Shop:
    """Every page of the shop, each with a code; a URL code is an index into ``urls``.

    Attributes:
        urls: the distinct URLs, without campaign tags.
        queries: the search texts, by search.
        item_names: the names of the items.
        prices: float64 (ITEMS,), rounded to 0.05.
        category_page, search_page, item_page, help_page: the first code of each run of pages.
    """

    urls: tuple[str, ...]
    queries: tuple[str, ...]
    item_names: tuple[str, ...]
    prices: np.ndarray
    category_page: int
    search_page: int
    item_page: int
    help_page: int
    help_pages: int
    cart_page: int
    checkout_page: int
    account_page: int
    order_page: int


def build_shop() -> Shop:
    """Lays out the shop; always the same one."""
    rng = np.random.default_rng(2718)
    urls = [f"{SHOP}/", f"{SHOP}/cart", f"{SHOP}/checkout", f"{SHOP}/account/welcome", f"{SHOP}/checkout/thank-you"]
    category_page = len(urls)
    urls += [f"{SHOP}/category/{category}" for category in CATEGORIES]
    search_page = len(urls)
    queries = tuple(f"{material} {category}" for category in CATEGORIES for material in _MATERIALS)
    urls += [
        f"{SHOP}/search?q={query.replace(' ', '+')}" + ("&sort=price" if i % 3 == 0 else "")
        for i, query in enumerate(queries)
    ]
    item_page = len(urls)
    names = [
        f"{_ADJECTIVES[i % 16]} {_MATERIALS[i // 16 % 16]} {CATEGORIES[i // ITEMS_PER_CATEGORY]}" for i in range(ITEMS)
    ]
    urls += [f"{SHOP}/item/{CATEGORIES[i // ITEMS_PER_CATEGORY]}?id={1000 + i}" for i in range(ITEMS)]
    help_page = len(urls)
    urls += [f"{SHOP}/{page}" for page in _HELP_PAGES]
    prices = np.round(np.exp(rng.normal(3.9, 0.7, ITEMS)) * 20) / 20
    return Shop(
        tuple(urls), queries, tuple(names), prices, category_page, search_page, item_page, help_page,
        len(_HELP_PAGES), 1, 2, 3, 4,
    )  # fmt: skip
