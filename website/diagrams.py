"""Draws the diagrams of docs/architecture.md: ``python -m website.diagrams`` writes docs/diagrams/*.svg again.

A diagram is a grid of boxes and the arrows among them. The pictures need no script and no font, are the same in the
repository and on the site, and can be told apart on a light and on a dark page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "diagrams"
WIDTH, HEIGHT = 150, 54  # of a box
ACROSS, DOWN = 206, 96  # from one box to the next
MARGIN = 14
_LINE = "#7a8190"
_FILLS = {"step": ("#e8eefc", "#3f5fb0"), "data": ("#fdf3df", "#a8741a"), "store": ("#e4f4ea", "#2f7d52")}


@dataclass(frozen=True)
class Box:
    """A box: where it is in the grid, the lines in it, and whether it is a step, data, or what keeps data."""

    column: int
    row: int
    text: str
    kind: str = "step"

    @property
    def left(self) -> int:
        """Pixels from the left edge."""
        return MARGIN + self.column * ACROSS

    @property
    def top(self) -> int:
        """Pixels from the upper edge."""
        return MARGIN + self.row * DOWN


@dataclass(frozen=True)
class Diagram:
    """A picture: what it is called, what it says in words, its boxes by name, and arrows (from, to, label)."""

    title: str
    words: str
    boxes: Mapping[str, Box]
    arrows: Sequence[tuple[str, str, str]]


def svg(diagram: Diagram) -> str:
    """Returns the picture as SVG."""
    width = max(box.left for box in diagram.boxes.values()) + WIDTH + MARGIN
    height = max(box.top for box in diagram.boxes.values()) + HEIGHT + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title words" font-family="system-ui, sans-serif" font-size="13">',
        f'<title id="title">{escape(diagram.title)}</title>',
        f'<desc id="words">{escape(diagram.words)}</desc>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker></defs>',
    ]
    for start, end, label in diagram.arrows:
        lines += _arrow(diagram.boxes[start], diagram.boxes[end], label)
    for box in diagram.boxes.values():
        lines += _box(box)
    return "\n".join([*lines, "</svg>", ""])


def _box(box: Box) -> Iterator[str]:
    fill, stroke = _FILLS[box.kind]
    round_ = 4 if box.kind == "step" else 16
    yield (
        f'<rect x="{box.left}" y="{box.top}" width="{WIDTH}" height="{HEIGHT}" rx="{round_}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
    )
    lines = box.text.split("\n")
    first = box.top + HEIGHT / 2 + 4.5 - 8 * (len(lines) - 1)
    for number, line in enumerate(lines):
        yield (
            f'<text x="{box.left + WIDTH // 2}" y="{first + 16 * number:g}" text-anchor="middle" '
            f'fill="#1b2230">{escape(line)}</text>'
        )


def _arrow(start: Box, end: Box, label: str) -> Iterator[str]:
    """Yields a line between two boxes: straight within a row or a column, else with one corner half-way."""
    right, below = end.column - start.column, end.row - start.row
    if right == 0:
        x = start.left + WIDTH // 2
        y1, y2 = (start.top + HEIGHT, end.top) if below > 0 else (start.top, end.top + HEIGHT)
        path, at = f"M{x} {y1}V{y2}", (x + 6, (y1 + y2) // 2 + 4, "start")
    else:
        x1, x2 = (start.left + WIDTH, end.left) if right > 0 else (start.left, end.left + WIDTH)
        y1, y2 = start.top + HEIGHT // 2, end.top + HEIGHT // 2
        turn = x2 - (ACROSS - WIDTH) // 2 if right > 0 else x2 + (ACROSS - WIDTH) // 2
        path = f"M{x1} {y1}H{x2}" if below == 0 else f"M{x1} {y1}H{turn}V{y2}H{x2}"
        at = ((x1 + x2) // 2, y1 - 6, "middle") if below == 0 else (turn + 4, (y1 + y2) // 2 + 4, "start")
    yield f'<path d="{path}" fill="none" stroke="{_LINE}" stroke-width="1.5" marker-end="url(#tip)"/>'
    if label:
        x, y, anchor = at
        yield f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11" fill="{_LINE}">{escape(label)}</text>'


DIAGRAMS: Mapping[str, Diagram] = {
    "whole": Diagram(
        "The whole of Augury",
        "Pages send events to the service. The service keeps them in an archive and in a fast store. Pipelines "
        "make examples of the archive or of other data, training makes models of examples, the registry keeps "
        "their versions, gates decide which is served, and the service answers with it.",
        {
            "store": Box(1, 0, "fast store\nRedis", "store"),
            "pages": Box(0, 1, "pages, servers", "data"),
            "service": Box(1, 1, "service\nserving/"),
            "gates": Box(3, 1, "gates\npromotion"),
            "archive": Box(1, 2, "archive\nParquet by hour", "store"),
            "registry": Box(3, 2, "registry\nversions, hashes", "store"),
            "other": Box(0, 3, "your own data\nfiles, BigQuery", "data"),
            "pipelines": Box(1, 3, "pipelines\nApache Beam"),
            "examples": Box(2, 3, "examples\nTFRecords, a spec", "data"),
            "training": Box(3, 3, "training\nmodels/"),
        },
        [
            ("pages", "service", ""),
            ("service", "store", "recent events"),
            ("service", "archive", "every event, once"),
            ("archive", "pipelines", ""),
            ("other", "pipelines", ""),
            ("pipelines", "examples", ""),
            ("examples", "training", ""),
            ("training", "registry", "publish"),
            ("registry", "gates", ""),
            ("gates", "service", "champion"),
        ],
    ),
    "examples": Diagram(
        "From events to examples",
        "Files are read as Arrow batches, bad rows go to the dead letters. Batches are cleaned, split by visitor "
        "with one shuffle, and each shard becomes TFRecords with its reports; the card comes last.",
        {
            "files": Box(0, 0, "files, tables", "data"),
            "read": Box(1, 0, "ReadEvents\nadapter"),
            "clean": Box(2, 0, "CleanEvents\nrobots, tests"),
            "group": Box(3, 0, "GroupByShard\none shuffle"),
            "dead": Box(1, 1, "dead letters\nwith a reason", "data"),
            "write": Box(3, 1, "WriteExamples\nsessions, slices"),
            "records": Box(2, 1, "TFRecords\nby split", "data"),
            "publish": Box(3, 2, "PublishDataset\nreports, tallies"),
            "card": Box(2, 2, "spec, card:\na data set", "data"),
        },
        [
            ("files", "read", ""),
            ("read", "clean", ""),
            ("clean", "group", ""),
            ("read", "dead", ""),
            ("group", "write", ""),
            ("write", "records", ""),
            ("write", "publish", ""),
            ("publish", "card", "last"),
        ],
    ),
    "prediction": Diagram(
        "From an event to a prediction",
        "An event is checked, written to a spool file, pushed to the fast store, and only then acknowledged. A "
        "question reads the visitor's recent events, codes them with the training's spec and asks the champion's "
        "graph.",
        {
            "event": Box(0, 0, "event", "data"),
            "collect": Box(1, 0, "collection\nkeys, limits"),
            "ingest": Box(2, 0, "ingest\nwhat waits is a batch"),
            "spool": Box(3, 0, "spool, then\nParquet", "store"),
            "store": Box(2, 1, "fast store\none Lua script", "store"),
            "question": Box(0, 2, "question", "data"),
            "predict": Box(1, 2, "predictions\nwho is it?"),
            "scorer": Box(2, 2, "Scorer\nsessions, coder"),
            "graph": Box(3, 2, "champion\nfrozen graph", "store"),
        },
        [
            ("event", "collect", ""),
            ("collect", "ingest", ""),
            ("ingest", "spool", "1"),
            ("ingest", "store", "2"),
            ("store", "scorer", "recent events"),
            ("question", "predict", ""),
            ("predict", "scorer", ""),
            ("scorer", "graph", ""),
        ],
    ),
    "imports": Diagram(
        "Who may import whom",
        "features is below everything. example generators, transforms and pipelines stand on it one above the "
        "other; models and serving are the other chain. Only augury, the command, sees both.",
        {
            "augury": Box(1, 0, "augury\ncommand, simulator"),
            "pipelines": Box(0, 1, "pipelines\nBeam"),
            "serving": Box(2, 1, "serving\nno Beam, no torch"),
            "transforms": Box(0, 2, "transforms\nBeam"),
            "models": Box(2, 2, "models\nregistry, families"),
            "generators": Box(0, 3, "example\ngenerators"),
            "features": Box(1, 3, "features\npure, shared"),
        },
        [
            ("augury", "pipelines", ""),
            ("augury", "serving", ""),
            ("pipelines", "transforms", ""),
            ("transforms", "generators", ""),
            ("generators", "features", ""),
            ("serving", "models", ""),
            ("models", "features", ""),
        ],
    ),
    "images": Diagram(
        "The two families of images",
        "Gaze and images become attention maps, a network learns them and is exported to ONNX. Photos become "
        "variants, a recogniser's vectors of them and campaigns feed boosted trees.",
        {
            "gaze": Box(0, 0, "images, gaze", "data"),
            "maps": Box(1, 0, "maps\ndensities, merged"),
            "unet": Box(2, 0, "U-Net\nPyTorch"),
            "onnx": Box(3, 0, "ONNX artifact\nheatmaps", "data"),
            "photos": Box(0, 1, "photos", "data"),
            "variants": Box(1, 1, "six variants"),
            "recogniser": Box(2, 1, "recogniser\nResNet"),
            "vectors": Box(3, 1, "vectors", "data"),
            "campaigns": Box(2, 2, "campaigns", "data"),
            "trees": Box(3, 2, "boosted trees\nwith intervals"),
        },
        [
            ("gaze", "maps", ""),
            ("maps", "unet", ""),
            ("unet", "onnx", ""),
            ("photos", "variants", ""),
            ("variants", "recogniser", ""),
            ("recogniser", "vectors", ""),
            ("vectors", "trees", ""),
            ("campaigns", "trees", ""),
        ],
    ),
}


def main() -> None:
    """Writes every diagram."""
    FOLDER.mkdir(exist_ok=True)
    for name, diagram in DIAGRAMS.items():
        (FOLDER / f"{name}.svg").write_text(svg(diagram))


if __name__ == "__main__":
    main()
