"""Pages: what is taken of them, however they are written."""

import json

import pytest

from augury.scraping.pages import PageError, decode_page, read_detail, read_listing
from augury.scraping.recipe import parse_recipe

URL = "http://shop.example.org/list/1"


def listing(html: str | bytes, charset: str | None = None, **more: object):
    given = {
        "name": "shop",
        "hosts": ["shop.example.org"],
        "start": [URL],
        "item": ".p",
        "next": "a[rel=next]",
        "fields": {"name": ".n", "image": "img", "url": "a"},
        **more,
    }
    content = html.encode() if isinstance(html, str) else html
    return read_listing(content, charset, URL, parse_recipe(given))


def test_values_are_one_line_of_text_and_urls_absolute() -> None:
    page = listing(
        "<div class=p><a href='../x y?a=1#t'><b class=n> A \n <i>B</i>&nbsp;C\0\x1b</b></a><img src=//cdn/i.png></div>"
    )
    assert dict(page.items[0]) == {
        "name": "A B C",
        "image": "http://cdn/i.png",
        "url": "http://shop.example.org/x y?a=1",
    }
    assert page.next == ""


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("<img src=a.png>", "http://shop.example.org/list/a.png"),
        ("<img src=data:image/gif;base64,xx data-src=b.png>", "http://shop.example.org/list/b.png"),
        ("<img src=a.png srcset='s.png 100w, l.png 900w,m.png 300w'>", "http://shop.example.org/list/l.png"),
        ("<img src=a.png srcset='s.png, l.png 2x'>", "http://shop.example.org/list/l.png"),
        ("<img srcset='a,b.png 1x'>", "http://shop.example.org/list/a,b.png"),
        ("<img data-original=o.png src=a.png>", "http://shop.example.org/list/o.png"),
        ("<img src=javascript:alert(1)>", ""),
        ("<img src='http://[bad'>", ""),
        ("<img src=file:///etc/passwd>", ""),
        ("<img>", ""),
    ],
)
def test_where_images_are_named(tag: str, expected: str) -> None:
    assert listing(f"<div class=p>{tag}</div>").items[0]["image"] == expected


def test_rules() -> None:
    fields = {
        "name": {"select": ":scope", "attribute": "data-name"},
        "brand": {"select": ".n", "regex": r"(\w+) -"},
        "kind": {"select": ".n", "regex": "none"},
        "gender": {"constant": "men"},
        "price": {"select": "[itemprop=price]", "attribute": "content", "regex": r"\d+"},
        "image": {"select": "img", "attribute": "data-big"},
    }
    html = (
        "<p class=p data-name=X><b class=n>Acme - Y</b><meta itemprop=price content='EUR 12'><img src=a data-big=b.png>"
    )
    assert dict(listing(html, fields=fields).items[0]) == {
        "name": "X",
        "brand": "Acme",
        "kind": "",
        "gender": "men",
        "price": "12",
        "image": "http://shop.example.org/list/b.png",
    }


def test_what_is_never_closed_does_not_run_into_the_next_item() -> None:
    names = [f"<li class=p><b class=n>{n}</b><img src={n}.png>" for n in range(300)]
    page = listing(f"<ul>{''.join(names)}</ul>")
    assert [item["name"] for item in page.items] == [str(n) for n in range(300)]
    # A <div> has to be closed; where it is not, an item without an image does not take that of the next.
    page = listing("<div class=p><b class=n>1</b><div class=p><b class=n>2</b><img src=2.png>")
    assert [(item["name"], item["image"].rpartition("/")[2]) for item in page.items] == [("1", ""), ("2", "2.png")]
    table = "<table><tr><td class=p><b class=n>1<td class=p><b class=n>2<tr><td class=p><b class=n>3"
    assert [item["name"] for item in listing(table).items] == ["1", "2", "3"]


def test_details_are_those_of_the_whole_page() -> None:
    given = {"name": "s", "hosts": ["a.org"], "start": ["http://a.org/"], "item": ".p"}
    recipe = parse_recipe({**given, "fields": {"url": "a", "image": "img"}, "detail": {"name": "h1"}})
    assert read_detail(b"<h1>A</h1><h1>B</h1>", None, "http://a.org/1", recipe).items == ({"name": "A"},)


@pytest.mark.parametrize(
    "html", ["<b>" * 300_000, "<div class=p>" * 2000, "<i></i>" * 150_000, "<p class=p>x</p>" * 10_001]
)
def test_pages_that_would_keep_us_busy_are_refused(html: str) -> None:
    with pytest.raises(PageError):
        listing(html)


@pytest.mark.parametrize(
    "html", ["", "\0", "<", "<!", "<!--", "<![CDATA[", "</", "<a b=", "&#xffffffffff;", "<?php", "\ud7ff"]
)
def test_nonsense_is_a_page_without_items(html: str) -> None:
    assert listing(html).items == ()


def test_encodings() -> None:
    text = "Größe č"
    assert decode_page(text.encode(), None) == text
    assert decode_page("Größe €".encode("cp1252"), None) == "Größe €"
    assert decode_page("Größe €".encode("cp1252"), "iso-8859-1") == "Größe €"
    assert decode_page(b"<meta charset='iso-8859-2'>" + text.encode("iso-8859-2"), None).endswith(text)
    assert decode_page(b"<meta charset=utf-16>" + text.encode(), None).endswith(text)
    assert decode_page(b"\xef\xbb\xbf" + text.encode(), "iso-8859-1") == text
    assert decode_page(b"\xff\xfe" + text.encode("utf-16-le"), "utf-8") == text
    assert decode_page(text.encode(), "no-such-encoding") == text
    assert decode_page(b"\xff\xfe\xff", "utf-8").strip("\ufffd") == ""
    assert decode_page(b"abc", "hex") == "abc"


def test_what_is_taken_can_be_kept() -> None:
    page = listing("<div class=p><b class=n>&#xD800;\ud7ff</b>")
    json.dumps([dict(item) for item in page.items], ensure_ascii=False).encode()
