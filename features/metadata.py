"""What kind of visit it is: where the visitor came from, judged from a URL and its referrer."""

from features.urls import CLICK_IDS, Url

HOST_KINDS = ("direct", "search", "social", "email", "other")
"""Kinds of referrer that its host alone decides; "direct" where there is none."""

_SEARCH = frozenset(
    "google bing yahoo duckduckgo yandex baidu ecosia startpage qwant naver seznam sogou ask aol brave kagi".split()
)
_SOCIAL = frozenset(
    "facebook instagram twitter linkedin pinterest reddit youtube tiktok whatsapp snapchat threads tumblr vk weibo "
    "quora discord telegram mastodon".split()
)
_SOCIAL_HOSTS = frozenset("t.co x.com lnkd.in ok.ru t.me youtu.be fb.me m.me pin.it bsky.app l.wl.co".split())
_MAIL_LABELS = frozenset("mail webmail email outlook deref-mail inbox".split())
_MAIL_HOSTS = frozenset(("com.google.android.gm", "com.microsoft.office.outlook"))
_PAID_SOCIAL = frozenset("epik li_fat_id rdt_cid scclid ttclid twclid".split())
_MEDIUM_OF_CLICK = {
    key: "email" if key == "mc_cid" else "paid_social" if key in _PAID_SOCIAL else "cpc"
    for key in sorted(CLICK_IDS - {"fbclid"})  # fbclid is on unpaid links too and says nothing
}
_SAME_MEDIUM = {
    "ppc": "cpc",
    "paid_search": "cpc",
    "paidsearch": "cpc",
    "e-mail": "email",
    "newsletter": "email",
    "affiliates": "affiliate",
    "banner": "display",
    "cpm": "display",
    "paid-social": "paid_social",
    "paidsocial": "paid_social",
}


def campaign_medium(url: Url) -> str | None:
    """Returns the medium of the campaign that a URL is tagged with, None without one.

    It is ``utm_medium`` in lower case, a few spellings made one; without it, what the first click id in the order of
    the alphabet stands for: "email" (Mailchimp), "paid_social" (Pinterest and its like) or "cpc" (``gclid`` and its
    like). ``fbclid`` is on unpaid links too and says nothing.
    """
    tags = dict(url.campaign)
    medium = tags.get("utm_medium", "").strip().lower()
    if medium:
        return _SAME_MEDIUM.get(medium, medium)
    return next((_MEDIUM_OF_CLICK[key] for key in sorted(tags) if key in _MEDIUM_OF_CLICK), None)


def campaign_kind(url: Url) -> str | None:
    """Returns "email" or "campaign" where a URL carries ``utm_*`` tags or a paid click id, else None."""
    if campaign_medium(url) == "email":
        return "email"
    tagged = any(key.startswith("utm_") or key in _MEDIUM_OF_CLICK for key, _ in url.campaign)
    return "campaign" if tagged else None


def host_kind(host: str) -> str:
    """Returns "search", "social", "email" or "other" for the host of a referrer."""
    labels = host.lower().split(".")
    names = set(labels[:-1])
    if host in _MAIL_HOSTS or labels[0] in _MAIL_LABELS:
        return "email"
    if host in _SOCIAL_HOSTS or names & _SOCIAL:
        return "social"
    return "search" if names & _SEARCH else "other"


def same_site(one: str, other: str) -> bool:
    """Says whether two hosts are the same, ``www.`` aside, or one is a subdomain of the other."""
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    if not one or not other:
        return False
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def referrer_kind(url: Url, referrer: Url | None) -> str:
    """Returns how a visit came about, one of ``REFERRER_KINDS``; the first rule that holds decides.

    1. the URL has campaign tags: "email" where the medium is, else "campaign";
    2. no referrer: "direct";
    3. the referrer is the same site: "internal";
    4. by the referrer's host: "search", "social", "email" or "other".
    """
    tagged = campaign_kind(url)
    if tagged:
        return tagged
    if referrer is None:
        return "direct"
    return "internal" if same_site(url.host, referrer.host) else host_kind(referrer.host)
