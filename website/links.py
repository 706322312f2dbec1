"""Links and lists of Markdown that is read in two places: by whoever looks into the repository, and on the site."""

import posixpath
import re
from collections.abc import Callable

_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2[ \t]*$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!\\)(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_ITEM = re.compile(r"(?:[-*+]|\d+[.)]) ")
# What the repository browser takes out of a heading to make its anchor.
_DROPPED = re.compile(r"[^\w\- ]")


class BrokenLinkError(ValueError):
    """A link of a page that leads nowhere."""


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Returns Markdown in which everything but fenced blocks is changed, each piece in between by itself."""
    found, end = [], 0
    for block in _FENCED.finditer(markdown):
        found += [change(markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*found, change(markdown[end:])])


def rewrite_links(markdown: str, source: str, page: str, place: Callable[[str], str | None]) -> str:
    """Returns Markdown whose relative links hold on the site.

    Args:
        markdown: the text of a page; code in it is left alone.
        source: path of the page in the repository, such as ``docs/cli.md``.
        page: path of the page on the site, such as ``cli.md``.
        place: from a path in the repository to the path on the site of what is there, None if nothing is.

    Raises:
        BrokenLinkError: a link leads to nothing.
    """

    def changed(match: re.Match[str]) -> str:
        before, target, anchor, after = match[1], match[2], match[3] or "", match[4]
        if re.match(r"[a-z][a-z+.-]*:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        there = place(path)
        if there is None:
            raise BrokenLinkError(f"{source}: the link to {target} leads nowhere; expected a path in the repository")
        return f"{before}{posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor}{after}"

    def prose(text: str) -> str:
        spans = list(_SPAN.finditer(text))
        found, end = [], 0
        for match in _LINK.finditer(text):
            if not any(span.start() < match.start() < span.end() for span in spans):
                found += [text[end : match.start()], changed(match)]
                end = match.end()
        return "".join([*found, text[end:]])

    return outside_code(markdown, prose)


def deepen_lists(markdown: str) -> str:
    """Returns Markdown whose nested lists are indented by four spaces, where CommonMark is content with two."""

    def deepened(text: str) -> str:
        found, inside = [], False
        for line in text.splitlines(keepends=True):
            if _ITEM.match(line):
                inside = True
            elif line.strip() and not line.startswith(" "):
                inside = False
            depth = len(line) - len(line.lstrip(" "))
            found.append(" " * depth + line if inside and depth < 4 and line.strip() else line)
        return "".join(found)

    return outside_code(markdown, deepened)


def slug(heading: str, separator: str = "-") -> str:
    """Returns the anchor of a heading, as the repository browser makes it."""
    return _DROPPED.sub("", heading.strip().lower()).replace(" ", separator)
