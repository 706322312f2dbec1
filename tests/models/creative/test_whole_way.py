"""From photos and campaigns to a recommendation by the commands that README.md shows, in their order."""

import json
from pathlib import Path

import cv2
import numpy as np

from tests.readme_commands import run_readme_commands
from tests.tiny_creative import photo, rate

MORE = {
    "creative-examples": "--size 32 --near-bits -1",
    "train variants": "--backbone resnet18 --weights none --max-epochs 2 --golden-products 2 --threads 1",
    "train creative": "--trials 0 --members 4 --rounds 20 --golden-images 6 --min-products 2",
    "promote": "--thresholds thresholds.toml",
}
"""What makes the example small; so few products are too few for the gate of calibration."""

VARIANTS = ("original", "brighter", "darker", "rotated", "sketch", "swivel")
PRODUCTS = [f"shoe-{number:02}" for number in range(60)]


def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    _write_shop(tmp_path)
    (tmp_path / "thresholds.toml").write_text("max_ece = 0.2\n")
    examples, *_, promoted, recommended = run_readme_commands("creative", tmp_path, MORE)
    assert examples.startswith(f"{len(PRODUCTS)} photos and {len(PRODUCTS) * len(VARIANTS)} rows of conversions read")
    assert "auc" in promoted and "skill" in promoted and "golden set" in promoted
    assert all(variant in recommended for variant in VARIANTS)
    found = json.loads((tmp_path / "better" / "recommendation.json").read_text())
    assert found["simulated"] is False
    by_variant = {row["name"]: row["probability"] for row in found["variants"]}
    assert max(by_variant, key=by_variant.get) == "brighter"  # which was clicked most
    assert cv2.imread(str(tmp_path / "better" / "brighter.png")).shape == photo("a").shape


def _write_shop(folder: Path) -> None:
    """Writes the photos of some shoes, and what became of four newsletters about each version of them."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    catalogue = ["product,image,brand,gender,kind"]
    campaigns = ["product,variant,campaign_type,industry,sent,clicked"]
    for product in PRODUCTS:
        cv2.imwrite(str(folder / "photos" / f"{product}.png"), photo(product)[..., ::-1])
        catalogue.append(f"{product},{product}.png,Aster,women,boot")
        for variant in VARIANTS:
            clicked = rng.binomial(200, rate(variant, "newsletter", "Aster"))
            campaigns.append(f"{product},{variant},newsletter,fashion,200,{clicked}")
    cv2.imwrite(str(folder / "photo.png"), photo("new")[..., ::-1])
    (folder / "products.csv").write_text("\n".join(catalogue) + "\n")
    (folder / "campaigns.csv").write_text("\n".join(campaigns) + "\n")
