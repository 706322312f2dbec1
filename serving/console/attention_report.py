"""A heatmap or a comparison with its numbers as a PDF: A4 pages that are pictures, drawn with Pillow.

The letters are those that Pillow brings along, which cover Latin scripts; others appear as boxes.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from features.images import Pixels
from serving.console.shown import number, percent, points

_DPI = 150
_WIDTH, _HEIGHT = 1240, 1754  # A4
_EDGE = 90
_INK, _FAINT, _LINE = (26, 28, 32), (89, 95, 105), (205, 207, 210)
_ROW = 34
_ENDS = (0.52, 0.74, 0.84, 1.0)
"""Where the columns of numbers end, as shares of the width between the edges."""
_MOST_LETTERS = 38
_MOST_BELOW, _MOST_ROWS = 14, 42
"""Most rows of a table below the picture, and on a page of their own."""


def heatmap_report(picture: Pixels, told: Mapping[str, Any]) -> bytes:
    """Returns the PDF of a heatmap.

    Args:
        picture: uint8 (H, W, 3), the image under colours.
        told: the JSON answer about it, as ``serving.attention.numbers.HeatmapNumbers``.
    """
    facts = [
        ("Image", f"{told['image']['width']} x {told['image']['height']} pixels"),
        ("Focus score", f"{number(told['focus_score'], 1)} of 100"),
        (f"Above {number(told['above_the_fold']['fold_px'])} px", percent(told["above_the_fold"]["share"])),
    ]
    head = ("Region", "Share", "Interval", "Rank", "Density")
    rows = [
        (
            region["name"],
            percent(region["share"]),
            f"{percent(region['low'])} to {percent(region['high'])}",
            str(region["rank"]),
            f"{number(region['lift'], 2)} x",
        )
        for region in told["regions"]
    ]
    return _pages("Where people look, as predicted", picture, told, facts, head, rows)


def comparison_report(picture: Pixels, told: Mapping[str, Any]) -> bytes:
    """Returns the PDF of a comparison.

    Args:
        picture: uint8 (H, W, 3), the newer image with what it gained and lost.
        told: the JSON answer about it, as ``serving.attention.numbers.ComparisonNumbers``.
    """
    focus, fold = told["focus_score"], told["above_the_fold"]
    facts = [
        ("Attention that went elsewhere", percent(told["moved"])),
        ("Focus score", f"{number(focus['before'], 1)}, then {number(focus['after'], 1)}"),
        (f"Above {number(fold['fold_px'])} px", f"{percent(fold['before'])}, then {percent(fold['after'])}"),
    ]
    head = ("Region", "Before", "After", "Change", "Certain")
    rows = [
        (
            region["name"],
            percent(region["before"]["share"]),
            percent(region["after"]["share"]),
            points(region["change"]),
            "yes" if region["apart"] else "no",
        )
        for region in told["regions"]
    ]
    return _pages("What became of the attention", picture, told, facts, head, rows)


def _pages(
    title: str,
    picture: Pixels,
    told: Mapping[str, Any],
    facts: Sequence[tuple[str, str]],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> bytes:
    first, draw, top = _page()
    draw.text((_EDGE, top), title, _INK, _font(40))
    about = f"{told['model']} {told['version']} · {datetime.now(UTC):%Y-%m-%d %H:%M} UTC · Augury {version('augury')}"
    draw.text((_EDGE, top + 62), about, _FAINT, _font(20))
    top += 120
    for what, found in facts:
        draw.text((_EDGE, top), what, _FAINT, _font(24))
        draw.text((_EDGE + 420, top), found, _INK, _font(24))
        top += _ROW
    here = min(len(rows), _MOST_BELOW)
    bottom = _HEIGHT - _EDGE - ((here + 2) * _ROW + 40 if here else 0)
    _paste(first, picture, top + 24, bottom)
    pages = [first]
    interval = told["interval"]
    note = (
        f"Intervals of {percent(interval['level'], 0)}, as {interval['effective_fixations']} fixations would scatter."
    )
    sheet, top = first, bottom + 30
    while rows:
        draw = ImageDraw.Draw(sheet)
        draw.text((_EDGE, top), note, _FAINT, _font(20))
        top = _row(draw, top + 44, head, _FAINT)
        for row in rows[:here]:
            top = _row(draw, top, row, _INK)
        rows = rows[here:]
        if rows:
            sheet, _, top = _page()
            pages.append(sheet)
            here = _MOST_ROWS
    out = io.BytesIO()
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=_DPI, title=title, producer="Augury")
    return out.getvalue()


def _page() -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    sheet = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    return sheet, ImageDraw.Draw(sheet), _EDGE


def _paste(sheet: Image.Image, picture: Pixels, top: int, bottom: int) -> None:
    """Puts a picture between two heights, as large as fits."""
    image = Image.fromarray(picture)
    scale = min((_WIDTH - 2 * _EDGE) / image.width, (bottom - top) / image.height)
    fitted = image.resize(
        (max(1, int(image.width * scale)), max(1, int(image.height * scale))), Image.Resampling.LANCZOS
    )
    sheet.paste(fitted, ((_WIDTH - fitted.width) // 2, top))


def _row(draw: ImageDraw.ImageDraw, top: int, cells: Sequence[str], colour: tuple[int, int, int]) -> int:
    """Writes a row of a table, its numbers to the right; returns where the next one begins."""
    font = _font(22)
    name = cells[0] if len(cells[0]) <= _MOST_LETTERS else f"{cells[0][: _MOST_LETTERS - 1]}…"
    draw.text((_EDGE, top), name, colour, font)
    for end, cell in zip(_ENDS, cells[1:], strict=True):
        draw.text((_EDGE + end * (_WIDTH - 2 * _EDGE), top), cell, colour, font, anchor="ra")
    draw.line((_EDGE, top + _ROW - 6, _WIDTH - _EDGE, top + _ROW - 6), _LINE)
    return top + _ROW


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
