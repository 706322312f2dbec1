import pytest

from features.tokens import column_buckets, column_tokens

_URL = "https://Shop.example/c/c/Shoes/?b=1&a=2&a=3&utm_source=News"


@pytest.mark.parametrize(
    ("column", "fields", "text", "tokens"),
    [
        ("event", ["event"], "Page Viewed", ["event=Page Viewed"]),
        ("event", ["event"], "", []),
        ("event", ["event"], None, []),
        ("event", [], "Page Viewed", []),
        ("url", ["url.host", "url.path"], _URL, ["url.host=shop.example", "url.path=/c/c/Shoes"]),
        ("url", ["url.segments"], _URL, ["url.segments=c", "url.segments=Shoes"]),
        ("url", ["url.query_keys"], _URL, ["url.query_keys=a", "url.query_keys=b"]),
        ("url", ["url.campaign"], _URL, ["url.campaign=utm_source=news"]),
        ("referrer", ["referrer.host"], _URL, ["referrer.host=shop.example"]),
        ("referrer", ["referrer.host"], "", []),
        ("properties", ["properties.sku"], '{"sku":"A-7"}', ["properties.sku=A-7"]),
        ("properties", ["properties.sku"], '{"other":1}', []),
        ("properties", ["properties.n"], '{"n":2.0}', ["properties.n=2"]),
        ("properties", ["properties.n"], '{"n":2.5}', ["properties.n=2.5"]),
        ("properties", ["properties.n"], '{"n":0}', ["properties.n=0"]),
        ("properties", ["properties.n"], '{"n":false}', ["properties.n=false"]),
        ("properties", ["properties.n"], '{"n":null}', []),
        ("properties", ["properties.n"], '{"n":{"m":1}}', []),
        ("properties", ["properties.n"], '{"n":["b","a","b",["x"]]}', ["properties.n=b", "properties.n=a"]),
        ("properties", ["properties.n"], "not json", []),
        ("properties", ["properties.n"], "[1]", []),
    ],
)
def test_tokens(column: str, fields: list[str], text: str | None, tokens: list[str]) -> None:
    assert column_tokens(column, fields, text, most=16) == tokens


def test_long_lists_keep_their_first_distinct_tokens() -> None:
    assert column_tokens("url", ["url.segments"], "/a/a/b/c", most=2) == ["url.segments=a", "url.segments=b"]


def test_buckets_are_sorted_and_distinct() -> None:
    assert column_buckets("url", ["url.segments"], "/a/b/c/d/e/f", most=16, size=2, seed=0) == [0, 1]
