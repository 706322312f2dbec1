"""Charts as inline SVG, made here: text stays text, colours are the page's, and no attribute holds a style.

Every function returns markup that is safe to put into a page, whatever the names in it are.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from serving.console.shown import moment_exactly, number, percent


class Bucket(NamedTuple):
    """A point of a calibration curve: ``rate`` is what happened, ``low`` to ``high`` its interval; shares, 0 to 1."""

    examples: float
    predicted: float
    rate: float
    low: float
    high: float


class Point(NamedTuple):
    """The probability after an event; ``known`` is false where the model had nothing to predict from."""

    time_us: int
    event: str
    probability: float
    known: bool


class Bar(NamedTuple):
    """Events a second of a span of time that ended ``ago`` seconds ago."""

    ago: float
    seconds: float
    accepted: float
    other: float


class _Scale(NamedTuple):
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{self.start + share * (self.end - self.start):.1f}"


def calibration(after: Sequence[Bucket], before: Sequence[Bucket], title: str) -> Markup:
    """Draws what happened over what was predicted, with intervals; the diagonal is perfect."""
    top = min(1.0, 1.06 * max(v for b in [*after, *before] for v in (b.predicted, b.high)))
    x, y = _Scale(0, top, 48, 348), _Scale(0, top, 272, 12)
    parts = [*_grid(x, y, top), _line("diagonal", x(0), y(0), x(top), y(top))]
    for buckets, kind in ((before, "before"), (after, "after")):
        parts += [_line(f"whisker {kind}", x(b.predicted), y(b.low), x(b.predicted), y(b.high)) for b in buckets]
        parts.append(_path(f"curve {kind}", [(x(b.predicted), y(b.rate)) for b in buckets]))
        for b in buckets:
            told = f"predicted {percent(b.predicted)}, happened {percent(b.rate)}, {number(b.examples)} examples"
            parts.append(_dot(f"dot {kind}", x(b.predicted), y(b.rate), 3.5, told))
    parts.append(_text("axis", 198, 308, "predicted", "middle"))
    turned = '<text class="axis" transform="translate(9 142) rotate(-90)" text-anchor="middle">happened</text>'
    parts.append(Markup(turned))
    return _svg(360, 316, f"Calibration of {title}", parts, "chart square")


def probabilities(points: Sequence[Point], base_rate: float, edges: Sequence[float] = ()) -> Markup:
    """Draws how the probability moved along the events, equally spaced; dashed is the base rate."""
    if not points:
        return Markup("")
    width, height, right = 960, 270, 858
    top = min(1.0, 1.15 * max([base_rate, *(p.probability for p in points)]))
    x, y = _Scale(0, max(len(points) - 1, 1), 52, right), _Scale(0, top, height - 34, 12)
    parts = list(_rows(y, top, 52, right))
    parts += [_line("edge", "52", y(edge), f"{right}", y(edge)) for edge in edges if edge < top]
    parts.append(_line("base", "52", y(base_rate), f"{right}", y(base_rate)))
    parts.append(_text("axis", right + 8, float(y(base_rate)) + 4, f"base {percent(base_rate)}", "start"))
    places = [(x(i), y(p.probability)) for i, p in enumerate(points)]
    area = [*places, (places[-1][0], y(0)), (places[0][0], y(0))]
    parts.append(_path("area", area, closed=True))
    parts.append(_path("curve after", places))
    for (left, high), point in zip(places, points, strict=True):
        said = percent(point.probability) if point.known else f"{percent(point.probability)}, the base rate"
        told = f"{moment_exactly(point.time_us)} UTC · {point.event} · {said}"
        last = point is points[-1]
        parts.append(_dot("dot after last" if last else "dot after", left, high, 5 if last else 3.2, told))
    parts.append(_text("axis", 52, height - 10, f"{moment_exactly(points[0].time_us)} UTC", "start"))
    if len(points) > 1:
        parts.append(_text("axis", right, height - 10, f"{moment_exactly(points[-1].time_us)} UTC", "end"))
    title = f"Probability after each of {len(points)} events, now {percent(points[-1].probability)}"
    return _svg(width, height, title, parts, "chart wide")


def throughput(bars: Sequence[Bar], window_seconds: float) -> Markup:
    """Draws events a second over the last minutes: accepted, and on top of it all others."""
    width, height = 960, 200
    top = _nice(max([1.0, *(bar.accepted + bar.other for bar in bars)]))
    x, y = _Scale(-window_seconds, 0, 52, width - 16), _Scale(0, top, height - 30, 10)
    parts = list(_rows(y, top, 52, width - 16, share=False))
    for bar in bars:
        if bar.ago + bar.seconds > window_seconds:
            continue
        left, right = float(x(-bar.ago - bar.seconds)), float(x(-bar.ago))
        thick = max(0.8, right - left - 0.8)
        for kind, low, high in (("accepted", 0.0, bar.accepted), ("other", bar.accepted, bar.accepted + bar.other)):
            if high > low:
                tall = float(y(low)) - float(y(high))
                parts.append(_box(f"bar {kind}", left, float(y(high)), thick, max(tall, 0.6)))
    for minutes in range(0, int(window_seconds // 60) + 1, 2):
        label = "now" if minutes == 0 else f"{minutes} min ago"
        anchor = "end" if minutes == 0 else "middle" if minutes * 60 < window_seconds else "start"
        parts.append(_text("axis", float(x(-minutes * 60)), height - 8, label, anchor))
    now = bars[-1].accepted if bars else 0.0
    return _svg(width, height, f"Events a second, {number(now, 1)} now", parts, "chart wide")


def interval(value: float, low: float, high: float, top: float, zero: float | None = None) -> Markup:
    """Draws a value and its interval on a line from 0, or -``top`` where ``zero`` is given, to ``top``."""
    x = _Scale(0 if zero is None else -top, top, 4, 156)
    parts = [] if zero is None else [_line("zero", x(zero), "1", x(zero), "15")]
    parts.append(_line("track", "4", "8", "156", "8"))
    parts.append(_line("span", x(_within(low, x)), "8", x(_within(high, x)), "8"))
    parts.append(_dot("dot after", x(_within(value, x)), "8", 3.6, ""))
    return _svg(160, 16, "", parts, "chart tiny")


def contribution(change: float, most: float) -> Markup:
    """Draws a change as a bar to the right of zero, or to the left; ``most`` is the longest."""
    middle, half = 80.0, 74.0
    long = half * min(abs(change) / most, 1.0) if most > 0 else 0.0
    kind = "up" if change > 0 else "down"
    bar = _box(kind, middle if change > 0 else middle - long, 3, long, 10) if long else Markup("")
    return _svg(160, 16, "", [_line("zero", "80", "0", "80", "16"), bar], "chart tiny")


def course(values: Sequence[float]) -> Markup:
    """Draws how a metric went from version to version; nothing where there are fewer than two."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    pad = (high - low or abs(high) or 1.0) * 0.15
    x, y = _Scale(0, len(values) - 1, 4, 116), _Scale(low - pad, high + pad, 30, 2)
    places = [(x(i), y(value)) for i, value in enumerate(values)]
    parts = [_path("curve after", places), _dot("dot after", *places[-1], 3, "")]
    title = f"From {values[0]:.4f} to {values[-1]:.4f} over {len(values)} versions"
    return _svg(120, 32, title, parts, "chart course")


def _svg(width: int, height: int, title: str, parts: Sequence[Markup], kind: str) -> Markup:
    about = Markup('role="img" aria-label="{}"').format(title) if title else Markup('aria-hidden="true"')
    head = Markup('<svg class="{}" viewBox="0 0 {} {}" {} focusable="false">').format(kind, width, height, about)
    return head + Markup("").join(parts) + Markup("</svg>")


def _grid(x: _Scale, y: _Scale, top: float) -> list[Markup]:
    found = list(_rows(y, top, x.start, x.end))
    step = _step(top)
    for i in range(int(top / step + 1e-9) + 1):
        found.append(_line("grid", x(i * step), f"{y.end:.1f}", x(i * step), f"{y.start:.1f}"))
        found.append(_text("axis", float(x(i * step)), y.start + 16, _share(i * step, step), "middle"))
    return found


def _rows(y: _Scale, top: float, left: float, right: float, share: bool = True) -> list[Markup]:
    found, step = [], _step(top)
    for i in range(int(top / step + 1e-9) + 1):
        value = i * step
        found.append(_line("grid", f"{left:.1f}", y(value), f"{right:.1f}", y(value)))
        label = _share(value, step) if share else number(value, 0 if step >= 1 else 1)
        found.append(_text("axis", left - 6, float(y(value)) + 4, label, "end"))
    return found


def _step(top: float) -> float:
    """Returns the distance of grid lines so that there are three to six of them."""
    size = 10.0 ** _exponent(top)
    return next(step for step in (size / 5, size / 2, size, 2 * size, 5 * size) if top / step <= 6)


def _nice(top: float) -> float:
    step = _step(top)
    return step * -(-top // step)


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _share(value: float, step: float) -> str:
    return percent(value, 0 if step >= 0.01 - 1e-12 else 1 if step >= 0.001 - 1e-12 else 2)


def _within(value: float, scale: _Scale) -> float:
    return min(max(value, scale.low), scale.high)


def _line(kind: str, x1: str, y1: str, x2: str, y2: str) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, x1, y1, x2, y2)


def _path(kind: str, places: Sequence[tuple[str, str]], closed: bool = False) -> Markup:
    drawn = "M" + "L".join(f"{x} {y}" for x, y in places) + ("Z" if closed else "")
    return Markup('<path class="{}" d="{}"/>').format(kind, drawn) if places else Markup("")


def _dot(kind: str, x: str, y: str, radius: float, told: str) -> Markup:
    title = Markup("<title>{}</title>").format(told) if told else Markup("")
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}">{}</circle>').format(kind, x, y, radius, title)


def _box(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    form = '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
    return Markup(form).format(kind, x, y, width, height)


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> Markup:
    form = '<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>'
    return Markup(form).format(kind, x, y, anchor, escape(text))
