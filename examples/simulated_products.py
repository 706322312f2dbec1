"""Draws photos of shoes that do not exist, and a catalogue of them: input for docs/tutorials/creative.md.

python examples/simulated_products.py shop

What became of them in campaigns is simulated by ``augury creative-examples --simulate``, which says so everywhere.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

WIDTH, HEIGHT = 96, 128
KINDS = ("boot", "sneaker", "sandal")
BRANDS = ("Aster", "Birk", "Cedar")


def draw(kind: str, random: Generator) -> np.ndarray:
    """Returns a photo, uint8 (128, 96, 3) RGB: a shoe of some colours on a grey ground with a shadow."""
    photo = np.full((HEIGHT, WIDTH, 3), random.integers(150, 190), np.uint8)
    upper, sole = random.integers(30, 220, 3).tolist(), random.integers(20, 120, 3).tolist()
    left, top, base = int(random.integers(12, 20)), int(random.integers(45, 60)), int(random.integers(92, 102))
    cv2.ellipse(photo, (WIDTH // 2, base + 6), (36, 6), 0, 0, 360, (90, 90, 90), -1)
    cv2.rectangle(photo, (left, base - 8), (WIDTH - 12, base), sole, -1)
    toe = np.array(
        [(left, base - 8), (left, top + 22), (left + 30, top + 18), (WIDTH - 14, base - 16), (WIDTH - 12, base - 8)]
    )
    cv2.fillPoly(photo, [toe], upper)
    if kind == "boot":
        cv2.rectangle(photo, (left, top - 22), (left + 28, base - 8), upper, -1)
    if kind == "sneaker":
        for step in range(4):
            cv2.line(
                photo,
                (left + 26 + 7 * step, top + 22 + 4 * step),
                (left + 34 + 7 * step, top + 16 + 4 * step),
                (250, 250, 250),
                2,
            )
    if kind == "sandal":
        for step in range(3):
            cv2.line(photo, (left + 12 + 14 * step, top + 24), (left + 8 + 14 * step, base - 9), (200, 200, 200), 5)
    grain = random.integers(-12, 13, photo.shape)
    return np.clip(photo.astype(int) + grain, 0, 255).astype(np.uint8)


def write(folder: Path, products: int, seed: int = 0) -> None:
    """Writes images, the catalogue that names them, and beside them a photo of a shoe that is not in it."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = [("product", "image", "brand", "gender", "kind")]
    for number in range(products):
        kind, brand = KINDS[number % len(KINDS)], BRANDS[int(random.integers(len(BRANDS)))]
        name = f"{kind}-{number:03}"
        cv2.imwrite(str(folder / "images" / f"{name}.png"), draw(kind, random)[..., ::-1])
        rows.append((name, f"{name}.png", brand, ("women", "men")[int(random.integers(2))], kind))
    with (folder / "products.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    cv2.imwrite(str(folder / "new.png"), draw("boot", random)[..., ::-1])


def main() -> None:
    """Writes the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder to write; must not exist")
    parser.add_argument("--products", type=int, default=240)
    given = parser.parse_args()
    if given.folder.exists():
        parser.error(f"{given.folder} exists already; name a new folder, or remove it")
    write(given.folder, given.products)
    print(f"SIMULATED: {given.products} photos of shoes that do not exist, and {given.folder}/products.csv about them")


if __name__ == "__main__":
    main()
