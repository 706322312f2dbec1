"""The outcome of a scrape: ``manifest.csv``, ``rejected.csv`` and ``scrape.json``, each written whole or not at all."""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from augury.scraping.prices import parse_price
from features.storage import atomic_write

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
SUMMARY = "scrape.json"

COLUMNS = (
    *("product", "relative_im_path", "shoe_brand", "shoe_gender", "shoe_name", "shoe_kind"),
    *("price", "currency", "price_text", "source_url", "image_url", "page_url"),
    *("sha256", "width", "height", "fetched_at_us"),
)
REJECTED_COLUMNS = ("what", "reason", "url", "page_url", "detail")


class Outcome:
    """Collects products and what was left out, in the order in which the shop lists them.

    Attributes:
        products: rows of the manifest so far.
        rejected: (what, reason) -> how many; what is page, item or image.
    """

    def __init__(self) -> None:
        self.products: list[dict[str, Any]] = []
        self.rejected: Counter[tuple[str, str]] = Counter()
        self._letters: list[tuple[str, ...]] = []

    def reject(self, what: str, reason: str, url: str, page_url: str, detail: str = "") -> None:
        """Leaves something out."""
        self.rejected[what, reason] += 1
        self._letters.append((what, reason, url, page_url, detail))

    def add(self, item: Mapping[str, str], image: Mapping[str, Any], fetched_at_us: int, page_url: str) -> None:
        """Adds a product with its image."""
        price, currency = parse_price(item.get("price", ""))
        url = item.get("url", "")
        self.products.append(
            {
                "product": product_id(item),
                "relative_im_path": image["path"],
                "shoe_brand": item.get("brand", ""),
                "shoe_gender": item.get("gender", ""),
                "shoe_name": item.get("name", ""),
                "shoe_kind": item.get("kind", ""),
                "price": "" if price is None else str(price),
                "currency": currency,
                "price_text": item.get("price", ""),
                "source_url": url or item["image"],
                "image_url": item["image"],
                "page_url": page_url,
                "sha256": image["sha256"],
                "width": image["width"],
                "height": image["height"],
                "fetched_at_us": fetched_at_us,
            }
        )

    def write(self, folder: str, about: Mapping[str, Any]) -> None:
        """Writes the three files."""
        rows = [[product[name] for name in COLUMNS] for product in self.products]
        atomic_write(Path(folder) / MANIFEST, _csv(COLUMNS, rows))
        atomic_write(Path(folder) / REJECTED, _csv(REJECTED_COLUMNS, self._letters))
        atomic_write(Path(folder) / SUMMARY, json.dumps(about, indent=2, ensure_ascii=False) + "\n")


def product_id(item: Mapping[str, str]) -> str:
    """Returns the id of a product: of its page's URL, or its image's where it has no page."""
    return hashlib.sha256((item.get("url") or item["image"]).encode()).hexdigest()[:16]


def _csv(columns: tuple[str, ...], rows: list[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
