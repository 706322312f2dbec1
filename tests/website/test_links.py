"""Links that hold in the repository are made to hold on the site."""

import pytest

from website.links import BrokenLinkError, deepen_lists, outside_code, rewrite_links, slug

PLACES = {
    "docs/cli.md": "cli.md",
    "docs/tutorials/behavior.md": "tutorials/behavior.md",
    "README.md": "project/readme.md",
    "examples/retailrocket.toml": "repository/examples/retailrocket.toml",
    "benchmarks": "reference/figures.md",
}


@pytest.mark.parametrize(
    ("source", "page", "link", "expected"),
    [
        ("docs/events.md", "events.md", "cli.md", "cli.md"),
        ("docs/events.md", "events.md", "cli.md#serve", "cli.md#serve"),
        ("docs/events.md", "events.md", "../README.md#two-commands", "project/readme.md#two-commands"),
        ("docs/events.md", "events.md", "../examples/retailrocket.toml", "repository/examples/retailrocket.toml"),
        ("docs/tutorials/index.md", "tutorials/index.md", "../cli.md", "../cli.md"),
        ("docs/tutorials/index.md", "tutorials/index.md", "behavior.md", "behavior.md"),
        ("README.md", "project/readme.md", "docs/cli.md", "../cli.md"),
        ("README.md", "project/readme.md", "benchmarks/", "../reference/figures.md"),
        ("docs/events.md", "events.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("docs/events.md", "events.md", "#here", "#here"),
    ],
)
def test_a_link_leads_where_it_led(source: str, page: str, link: str, expected: str) -> None:
    assert rewrite_links(f"a [b]({link}) c", source, page, PLACES.get) == f"a [b]({expected}) c"


def test_code_is_left_alone() -> None:
    text = "`[a](gone.md)` and ``x `` [b](cli.md)\n\n```\n[c](gone.md)\n```\n"
    assert rewrite_links(text, "docs/x.md", "x.md", PLACES.get) == text


@pytest.mark.parametrize("link", ["gone.md", "../outside.txt", "../../etc/passwd"])
def test_a_link_to_nothing_is_an_error(link: str) -> None:
    with pytest.raises(BrokenLinkError, match=r"docs/x.md: the link to .* leads nowhere"):
        rewrite_links(f"[a]({link})", "docs/x.md", "x.md", PLACES.get)


def test_nested_lists_are_indented_for_the_site() -> None:
    text = "- a\n  goes on\n  - b\n    more\n\ntext\n  kept\n"
    assert deepen_lists(text) == "- a\n    goes on\n    - b\n    more\n\ntext\n  kept\n"


def test_fenced_blocks_are_not_changed() -> None:
    assert outside_code("a\n```\na\n```\na", str.upper) == "A\n```\na\n```\nA"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Two commands", "two-commands"),
        ("publish, history, compare", "publish-history-compare"),
        ("`segment`", "segment"),
        ("What is promised?", "what-is-promised"),
        ("One - two", "one---two"),
    ],
)
def test_anchors_are_those_of_the_repository_browser(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
