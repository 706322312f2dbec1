"""Draws small web pages that do not exist and simulates who looks where on them: input for docs/tutorials/attention.md.

python examples/simulated_gaze.py gaze

Nobody looked at these pages. A viewer's fixations fall on the parts of a page with the shares in ``SHARES``, spread by
a Gaussian, and a tenth of them anywhere; so the truth is known, and a model can find it.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

WIDTH, HEIGHT = 320, 240
VIEWERS, FIXATIONS = 12, 8
SHARES = {"button": 0.4, "picture": 0.35, "headline": 0.25}
ANYWHERE = 0.1
SETS = """\
# Simulated: examples/simulated_gaze.py drew the pages and the fixations.
[[set]]
name = "simulated"
images = "pages"
kind = "page"
sigma_px = 12

[[set.gaze]]
path = "fixations.csv"
method = "eye"
"""
Box = tuple[int, int, int, int]


def layout(random: Generator) -> dict[str, Box]:
    """Returns where a page has its parts: x, y, width, height in pixels."""
    left = bool(random.integers(2))
    picture = (20 if left else 190, int(random.integers(70, 100)), 110, 80)
    button = (200 if left else 30, int(random.integers(150, 200)), 70, 22)
    headline = (int(random.integers(15, 90)), int(random.integers(30, 45)), int(random.integers(120, 200)), 16)
    return {"button": button, "picture": picture, "headline": headline}


def draw(parts: dict[str, Box], random: Generator) -> np.ndarray:
    """Returns the page, uint8 (240, 320, 3) RGB: grey text on white, a headline, a picture, one strong button."""
    page = np.full((HEIGHT, WIDTH, 3), random.integers(235, 256), np.uint8)
    cv2.rectangle(page, (0, 0), (WIDTH, 20), random.integers(190, 225, 3).tolist(), -1)
    for y in range(60, HEIGHT - 10, 12):
        cv2.line(page, (20, y), (20 + int(random.integers(120, 280)), y), (205, 205, 205), 2)
    x, y, width, height = parts["headline"]
    for start in range(x, x + width - 12, 18):
        cv2.rectangle(page, (start, y), (start + 13, y + height), (30, 30, 40), -1)
    x, y, width, height = parts["picture"]
    page[y : y + height, x : x + width] = random.integers(60, 200, (height, width, 3), np.uint8)
    cv2.circle(page, (x + width // 2, y + height // 2), 28, random.integers(60, 230, 3).tolist(), -1)
    x, y, width, height = parts["button"]
    cv2.rectangle(page, (x, y), (x + width, y + height), (230, 60 + int(random.integers(0, 60)), 20), -1)
    return page


def fixations(parts: dict[str, Box], random: Generator) -> np.ndarray:
    """Returns where a viewer looks, float (n, 2): x and y in pixels, within the page."""
    names = random.choice(list(SHARES), FIXATIONS, p=list(SHARES.values()))
    boxes = np.array([parts[name] for name in names], float)
    at = boxes[:, :2] + boxes[:, 2:] / 2 + random.normal(size=(FIXATIONS, 2)) * boxes[:, 2:] / 5
    anywhere = random.random((FIXATIONS, 2)) * (WIDTH, HEIGHT)
    at = np.where(random.random((FIXATIONS, 1)) < ANYWHERE, anywhere, at)
    return np.clip(at, 0, (WIDTH - 1, HEIGHT - 1))


def write(folder: Path, pages: int, seed: int = 0) -> int:
    """Writes pages, fixations, the sets file and, beside them, a page that nobody looked at; returns the fixations."""
    random = np.random.default_rng(seed)
    (folder / "pages").mkdir(parents=True)
    rows: list[tuple[str, int, int, str, str]] = []
    for number in range(pages):
        parts, name = layout(random), f"page-{number:03}.png"
        cv2.imwrite(str(folder / "pages" / name), draw(parts, random)[..., ::-1])
        for viewer in range(VIEWERS):
            at = fixations(parts, random)
            rows += [(name, viewer, order, f"{x:.1f}", f"{y:.1f}") for order, (x, y) in enumerate(at)]
    with (folder / "fixations.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "subject", "order", "x", "y"), *rows])
    (folder / "sets.toml").write_text(SETS)
    parts = layout(random)
    cv2.imwrite(str(folder / "new.png"), draw(parts, random)[..., ::-1])
    return len(rows)


def main() -> None:
    """Writes the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder to write; must not exist")
    parser.add_argument("--pages", type=int, default=120)
    given = parser.parse_args()
    if given.folder.exists():
        parser.error(f"{given.folder} exists already; name a new folder, or remove it")
    count = write(given.folder, given.pages)
    print(f"SIMULATED: {given.pages} pages and {count:,} fixations of {VIEWERS} viewers that do not exist")
    print(f"next: augury attention-examples {given.folder}/sets.toml --output examples")


if __name__ == "__main__":
    main()
