"""The law of the simulated shop written once more, an event at a time, from what docs/simulator.md says of it.

Everything is read back from canonical events as anybody would: kinds from names and paths, campaigns from URLs, devices
from user agents.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

DEVICE = {"desktop": 0.25, "mobile": -0.45, "tablet": 0.0}
MEDIUM = {None: 0.0, "email": 0.5, "cpc": 0.2, "social": -0.4}
BASKET = {0: 0.0, 1: 1.6, 2: 2.0, 3: 2.2}
LAST = {
    "home": -0.8, "category": -0.5, "search": -0.5, "add": 0.3, "remove": -0.6, "cart": 0.9, "checkout": 2.0,
    "help": -0.4,
}  # fmt: skip
INTEREST = {
    "home": -0.2, "category": -0.1, "product": 0.45, "add": 0.6, "remove": -0.6, "cart": 0.3, "checkout": 0.4,
}  # fmt: skip
ORDER = {("search", "product"): 0.9, ("add", "remove"): -0.6}

KINDS = {
    "Products Searched": "search",
    "Product Viewed": "product",
    "Product Added": "add",
    "Product Removed": "remove",
    "Cart Viewed": "cart",
    "Checkout Started": "checkout",
    "Signed Up": "signup",
}


def kind_of(event: Mapping[str, Any]) -> str:
    """Returns what the visitor did."""
    if event["event"] in KINDS:
        return KINDS[event["event"]]
    path = urlsplit(event["url"]).path
    if path == "/":
        return "home"
    return "category" if path.startswith("/category/") else "help"


def device_of(user_agent: str) -> str:
    """Returns the device, by the plainest signs of it."""
    if "iPad" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if "Mobile" in user_agent else "desktop"


def probability(events: Sequence[Mapping[str, Any]]) -> float:
    """Returns the chance that the last of the ``events`` (all since the last purchase, in order) leads to a purchase,
    given that the visitor stops there."""
    kinds = [kind_of(event) for event in events]
    pauses = [(b["timestamp_us"] - a["timestamp_us"]) / 1e6 for a, b in pairwise(events)]
    mediums = [parse_qs(urlsplit(event["url"]).query).get("utm_medium", [None])[0] for event in events]
    odds = -5.2 + DEVICE[device_of(events[-1]["user_agent"])]
    odds += MEDIUM[next((medium for medium in reversed(mediums) if medium), None)]
    odds += BASKET[min(3, kinds.count("add") - kinds.count("remove"))]
    odds += 0.3 * min(3, sum(pause > 1800 for pause in pauses))
    odds += LAST.get(kinds[-1], 0.0)
    momentum = 0.0
    for i, kind in enumerate(kinds):
        momentum = (0.0 if kind in ("home", "search") else 0.85 * momentum) + INTEREST.get(kind, 0.0)
        if i:
            momentum += ORDER.get((kinds[i - 1], kind), 0.0)
            if pauses[i - 1] <= 1800:
                momentum += 0.3 * max(-1.5, min(1.5, math.log(pauses[i - 1] / 25.0)))
    odds += momentum
    return 1.0 / (1.0 + math.exp(-odds))
