"""A shop on loopback with everything that shops do wrong; what a scrape must make of it is known beforehand."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

PER_PAGE = 20
BRANDS = ("Ångström", "O'Hara & Söhne", "Plain", "")

# Of every forty products these have a trouble of their own, by their number modulo 40; the rest are in order.
TROUBLES = {
    3: "no_image",
    5: "no_name",
    7: "copy",  # shows the image of the product before it, from another URL
    9: "gone",  # 404
    11: "failing",  # 500, always
    13: "busy",  # 429 with Retry-After, once
    15: "unsteady",  # 503, once
    17: "huge",
    19: "page_as_image",
    21: "truncated",
    23: "tiny",
    25: "moved",  # redirects to the image
    27: "elsewhere",  # redirects to another host
    29: "private",  # robots.txt disallows it
    31: "again",  # the listing shows the product before it once more
    33: "slow",  # byte by byte
    35: "not_found_as_page",  # 404, as a page
}
REASONS = {
    "no_image": ("item", "no_image"),
    "no_name": ("item", "no_name"),
    "copy": ("image", "duplicate_image"),
    "gone": ("image", "bad_status"),
    "failing": ("image", "bad_status"),
    "huge": ("image", "too_large"),
    "page_as_image": ("image", "wrong_type"),
    "truncated": ("image", "image_truncated"),
    "tiny": ("image", "image_too_small"),
    "elsewhere": ("image", "host_not_allowed"),
    "private": ("image", "robots_disallowed"),
    "again": ("item", "duplicate_product"),
    "not_found_as_page": ("image", "bad_status"),
}

RECIPE = """
name = "test-shop"
hosts = ["127.0.0.1"]
start = ["{base}/shoes?page=1", "{base}/sale?page=a", "{base}/private/list"]
item = "li.product"
next = "a[rel~=next]"

[fields]
name = ".name"
brand = {{ select = ".brand", regex = 'by (.+)' }}
gender = {{ constant = "women" }}
price = ".price"
image = "img"
url = "a.more"
"""


def trouble(number: int) -> str:
    return TROUBLES.get(number % 40, "")


def picture(number: int, side: int = 24) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


class Shop:
    """What is sold, what was asked for, and what happens then.

    Attributes:
        products: how many.
        asked: path -> how often.
        on_request: is called with every path before it is answered.
        broken: answer 503 to everything but robots.txt.
    """

    def __init__(self, products: int, robots: str | int = "User-agent: *\nDisallow: /private\n") -> None:
        self.products, self.robots = products, robots
        self.asked: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.agents: set[str] = set()
        self.on_request: Callable[[str], object] = lambda path: None
        self.broken = False
        self.base = ""
        self.lock = threading.Lock()

    def recipe(self) -> str:
        return RECIPE.format(base=self.base)

    def expected(self) -> list[int]:
        """Returns the numbers of the products that belong into the manifest."""
        return [number for number in range(self.products) if trouble(number) not in REASONS]

    def rejected(self) -> dict[str, dict[str, int]]:
        """Returns what must be left out of a scrape of every list."""
        found: dict[str, dict[str, int]] = {}
        entries = [REASONS[trouble(n)] for n in range(self.products) if trouble(n) in REASONS]
        last = (self.products - 1) // PER_PAGE * PER_PAGE
        # The endless end of the list shows its last page once more; the sale shows products that are known.
        entries += [("item", "duplicate_product")] * (self.products - last + 2)
        entries += [("page", "robots_disallowed")]
        for what, reason in sorted(entries):
            found.setdefault(what, {}).setdefault(reason, 0)
            found[what][reason] += 1
        return found

    def listing(self, page: int) -> bytes:
        last = (self.products + PER_PAGE - 1) // PER_PAGE
        start = (min(page, last) - 1) * PER_PAGE
        items = "".join(self._item(n) for n in range(start, min(start + PER_PAGE, self.products)))
        onward = f"<a rel='nofollow next' href='../shoes?page={page + 1}#top'>more</a>"
        if page == 3:  # never closed, never opened, nonsense
            items = f"<ul><table></p></div><b><i>{items.replace('</a>', '')}<!-- <li class=product> --><a <"
        meta = "<meta charset=windows-1252>" if page == 2 else ""
        return f"<!doctype html><html><head>{meta}<base href='/shoes/'></head>{items}{onward}".encode(
            "cp1252" if page == 2 else "utf-8"
        )

    def _item(self, number: int) -> str:
        what = trouble(number)
        shown = number - 1 if what == "again" else number
        image = f"../img/{shown}.png"
        if what == "private":
            image = f"/private/{number}.png"
        tags = [
            f"src={image}",
            f"data-src='{image}' src='data:image/gif;base64,R0lGOD'",
            f"srcset='x.png 10w, {image} 99w'",
        ]
        return "".join(
            [
                f"<li class='new product'><a class=more href='item/{shown}?from=list#x'>",
                "" if what == "no_name" else f"<h2 class=name> Shoe  <b>&numero;</b>\n{shown}</h2>",
                f"<span class=brand>by {BRANDS[number % 4]}</span>",
                f"<span class=price>{number % 90 + 10},{number % 100:02d}&nbsp;€</span></a>",
                "" if what == "no_image" else f"<img {tags[number % 3]}>",
            ]
        )

    def image(self, number: int) -> bytes:
        return picture(number - 1 if trouble(number) == "copy" else number, 4 if trouble(number) == "tiny" else 24)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        shop = self.server.shop
        with shop.lock:
            shop.asked[self.path] += 1
            shop.agents.add(self.headers["User-Agent"])
            count = shop.asked[self.path]
        shop.on_request(self.path)
        path, _, query = self.path.partition("?")
        if path == "/robots.txt":
            if isinstance(shop.robots, int):
                self.say(shop.robots)
            else:
                self.say(200, shop.robots.encode(), "text/plain")
        elif shop.broken:
            self.say(503)
        elif path == "/shoes":
            self.say(200, shop.listing(int(query.removeprefix("page="))), "text/html")
        elif path == "/sale":  # two pages that lead to one another
            other = "b" if query.endswith("a") else "a"
            items = shop._item(0 if other == "b" else 1).replace("../img", "/img").replace("item/", "/shoes/item/")
            self.say(
                200, f"<ul>{items}</ul><a rel=next href='/sale?page={other}'>".encode(), "text/html; charset=utf-8"
            )
        elif path.startswith("/img/"):
            self.picture(int(path[5:].removesuffix(".png")), count)
        elif path.startswith("/real/"):
            self.say(200, shop.image(int(path[6:])), "image/png")
        else:
            self.say(404)

    def picture(self, number: int, count: int) -> None:
        what, data = trouble(number), self.server.shop.image(number)
        if what == "gone":
            self.say(404)
        elif what == "not_found_as_page":
            self.say(404, b"<html>not here</html>", "text/html")
        elif what == "failing":
            self.say(500)
        elif what == "busy" and count == 1:
            self.say(429, headers={"Retry-After": "17"})
        elif what == "unsteady" and count == 1:
            self.say(503)
        elif what == "huge":
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            self.close_connection = True
        elif what == "page_as_image":
            self.say(200, b"<html>sorry</html>", "text/html")
        elif what == "truncated":
            self.say(200, data[: len(data) // 2], "image/png")
        elif what == "moved":
            self.say(302, headers={"Location": f"/real/{number}"})
        elif what == "elsewhere":
            self.say(302, headers={"Location": f"http://127.0.0.2/{number}.png"})
        elif what == "slow":
            self.say(200, data, "image/png", piece=1)
        else:
            self.say(200, data, "image/png", dated=number % 2 == 0)

    def say(
        self,
        status: int,
        body: bytes = b"",
        kind: str = "",
        headers: dict[str, str] | None = None,
        piece: int = 1 << 20,
        dated: bool = False,
    ) -> None:
        given = dict(headers or {})
        if status == 200 and kind != "text/plain":
            date, tag = "Mon, 02 Nov 2026 10:00:00 GMT", f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            given |= {"Last-Modified": date} if dated else {"ETag": tag}
            if self.headers["If-None-Match"] == tag or self.headers["If-Modified-Since"] == date:
                status, body, kind = 304, b"", ""
        with self.server.shop.lock:
            self.server.shop.statuses[status] += 1
        self.send_response(status)
        for name, value in {**given, **({"Content-Type": kind} if kind else {})}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), piece):
            self.wfile.write(body[start : start + piece])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    shop: Shop

    def handle_error(self, *_: object) -> None:
        """A scraper that is killed, or has read enough, breaks the connection off."""


@contextmanager
def open_shop(products: int, **more: object) -> Iterator[Shop]:
    shop = Shop(products, **more)  # type: ignore[arg-type]
    server = _Server(("127.0.0.1", 0), _Handler)
    server.shop, shop.base = shop, f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
