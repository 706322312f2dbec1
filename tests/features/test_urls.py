import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.urls import Url, parse_url


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://shop.example/a/b", "shop.example", "/a/b"),
        ("https://Shop.Example:8443/a//b/", "shop.example", "/a/b"),
        ("https://user:secret@shop.example/", "shop.example", "/"),
        ("https://shop.example./", "shop.example", "/"),
        ("https://shop.example", "shop.example", "/"),
        ("https://shop.example?x=1", "shop.example", "/"),
        ("HTTP://SHOP.EXAMPLE/A", "shop.example", "/A"),
        ("//cdn.example/x.js", "cdn.example", "/x.js"),
        ("shop.example/item/3", "shop.example", "/item/3"),
        ("www.shop.example", "www.shop.example", "/"),
        ("shop.example:443", "shop.example", "/"),
        ("localhost:8080/x", "localhost", "/x"),
        ("127.0.0.1/x", "127.0.0.1", "/x"),
        ("http://[2001:DB8::1]:80/x", "2001:db8::1", "/x"),
        ("/item/3", "", "/item/3"),
        ("item/3", "", "/item/3"),
        ("index.html", "", "/index.html"),
        ("index.php?id=3", "", "/index.php"),
        ("?q=1", "", ""),
        ("#top", "", ""),
        ("", "", ""),
        ("   ", "", ""),
        ("https://müller.example/straße", "xn--mller-kva.example", "/straße"),
        ("https://xn--mller-kva.example/", "xn--mller-kva.example", "/"),
        ("münchen.example/a", "xn--mnchen-3ya.example", "/a"),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah", "/"),
        ("https://m%C3%BCller.example/", "xn--mller-kva.example", "/"),
        ("/caf%C3%A9", "", "/café"),
        ("/a%2Fb/c", "", "/a/b/c"),
        ("/bad%zz%", "", "/bad%zz%"),
        ("/%ff", "", "/�"),
        ("/a/./b/../c", "", "/a/c"),
        ("/../../a", "", "/a"),
        ("\\a\\b", "", "/a/b"),
        ("https://shop.example/#/cart/1?x=2", "shop.example", "/cart/1"),
        ("https://shop.example/#!/cart", "shop.example", "/cart"),
        ("https://shop.example/a#part", "shop.example", "/a"),
        ("ht\ntps://shop.example/a\tb", "shop.example", "/ab"),
        ("http:///nohost", "", "/nohost"),
        ("http://", "", ""),
        ("http://[::1", "::1", "/"),
        ("http://exa mple/", "exa mple", "/"),
        ("https://shop.example:port/x", "shop.example", "/x"),
        ("android-app://com.example.app/", "com.example.app", "/"),
        ("file:///C:/page.html", "", "/C:/page.html"),
        ("about:blank", "", "about:"),
        ("mailto:someone@shop.example", "", "mailto:"),
        ("javascript:void(0)", "", "javascript:"),
        ("data:text/html,<b>", "", "data:"),
    ],
)
def test_hosts_and_paths(text: str, host: str, path: str):
    url = parse_url(text)
    assert (url.host, url.path) == (host, path)


def test_segments_are_decoded_after_they_are_parted():
    assert parse_url("https://shop.example/a%2Fb//c d/").segments == ("a/b", "c d")
    assert parse_url("https://shop.example/").segments == ()


def test_query_keys_are_kept_and_their_values_are_not():
    url = parse_url("/search?q=secret&page=2&q=again&flag&=x&&a%20b=1&c+d=2")
    assert url.query_keys == ("a b", "c d", "flag", "page", "q")
    assert "secret" not in repr(url)


def test_campaign_tags_are_apart_from_the_query():
    url = parse_url("/?UTM_Source=Spring+Mail&utm_medium=&utm_medium=Email&gclid=Cj0KCQ&fbclid=&q=1")
    assert url.campaign == (
        ("fbclid", "1"),
        ("gclid", "1"),
        ("utm_medium", "email"),
        ("utm_source", "spring mail"),
    )
    assert url.query_keys == ("q",)


def test_a_query_of_many_keys_is_cut():
    assert len(parse_url("/?" + "&".join(f"k{i}=1" for i in range(1000))).query_keys) == 64


def check(url: Url) -> None:
    for text in (url.host, url.path, *url.segments, *url.query_keys, *(word for tag in url.campaign for word in tag)):
        text.encode()  # a lone surrogate could not be written anywhere
    assert all(url.segments)
    assert url.host == "" or url.host.strip() == url.host or " " in url.host
    assert not any(character in url.host for character in "/?#@")


@given(st.text())
def test_any_text_has_parts(text: str):
    check(parse_url(text))


_PIECES = (
    "http https : // / ? # & = @ [ ] . .. % %C3 %2F \\ é ß 日本 xn-- xn--a a com utm_source gclid 1 99999 + ! ::1 -"
)
pieces = st.sampled_from([*_PIECES.split(), " ", "\x00", "\ud800", "\u200d"])


@given(st.lists(pieces, max_size=14).map("".join))
def test_anything_like_a_url_has_parts(text: str):
    check(parse_url(text))


@given(st.text(alphabet="abc.-é:[]%", min_size=1, max_size=20))
def test_any_host_is_survived(host: str):
    check(parse_url(f"https://{host}/x"))


@given(st.lists(st.text(alphabet="abcé /?#%&", min_size=1).filter(lambda text: text.strip()), max_size=4))
def test_a_quoted_path_is_read_back(segments: list[str]):
    from urllib.parse import quote

    assert parse_url("https://shop.example/" + "/".join(quote(text, safe="") for text in segments)).segments == tuple(
        segments
    )


def test_long_texts_are_parsed_and_not_kept():
    assert len(parse_url("https://shop.example/" + "a/" * 10_000).segments) == 10_000
