import pytest

from features.metadata import campaign_medium, host_kind, referrer_kind, same_site
from features.urls import parse_url


@pytest.mark.parametrize(
    ("url", "referrer", "kind"),
    [
        ("https://shop.example/", None, "direct"),
        ("", None, "direct"),
        ("https://www.shop.example/a", "https://shop.example/", "internal"),
        ("https://shop.example/a", "https://blog.shop.example/post", "internal"),
        ("https://shop.example/a", "https://www.google.co.uk/", "search"),
        ("https://shop.example/a", "https://duckduckgo.com/", "search"),
        ("https://shop.example/a", "android-app://com.google.android.googlequicksearchbox/", "search"),
        ("https://shop.example/a", "https://l.facebook.com/l.php?u=1", "social"),
        ("https://shop.example/a", "https://t.co/abc", "social"),
        ("https://shop.example/a", "https://mail.google.com/", "email"),
        ("https://shop.example/a", "android-app://com.google.android.gm/", "email"),
        ("https://shop.example/a", "https://elsewhere.example/", "other"),
        ("https://shop.example/a", "rubbish", "other"),
        ("", "https://elsewhere.example/", "other"),
        ("https://shop.example/?utm_source=spring", "https://www.google.com/", "campaign"),
        ("https://shop.example/?utm_source=spring&utm_medium=email", None, "email"),
        ("https://shop.example/?gclid=abc", "https://www.google.com/", "campaign"),
        ("https://shop.example/?mc_cid=abc", None, "email"),
        ("https://shop.example/?fbclid=abc", "https://m.facebook.com/", "social"),
    ],
)
def test_referrer_kind(url: str, referrer: str | None, kind: str) -> None:
    assert referrer_kind(parse_url(url), None if referrer is None else parse_url(referrer)) == kind


@pytest.mark.parametrize(
    ("query", "medium"),
    [
        ("", None),
        ("utm_source=a", None),
        ("utm_medium=CPC", "cpc"),
        ("utm_medium=ppc", "cpc"),
        ("utm_medium=Newsletter", "email"),
        ("utm_medium=shop-window", "shop-window"),
        ("gclid=1", "cpc"),
        ("gclid=1&utm_medium=display", "display"),
        ("ttclid=1", "paid_social"),
        ("mc_cid=1", "email"),
        ("fbclid=1", None),
    ],
)
def test_campaign_medium(query: str, medium: str | None) -> None:
    assert campaign_medium(parse_url(f"https://shop.example/?{query}")) == medium


def test_same_site() -> None:
    assert same_site("www.shop.example", "shop.example")
    assert same_site("shop.example", "a.b.shop.example")
    assert not same_site("shop.example", "workshop.example")
    assert not same_site("", "")


def test_host_kind_looks_at_whole_labels() -> None:
    assert host_kind("notgoogle.example") == "other"
    assert host_kind("") == "other"
