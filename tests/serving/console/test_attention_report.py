"""Reports as PDF: as many pages as the table needs, and the picture on the first."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from features.images import Pixels, decode_image
from serving.console.attention_report import comparison_report, heatmap_report
from tests.designs import design

ABOUT = {"model": "page", "version": "v1", "interval": {"level": 0.95, "effective_fixations": 40}}
SHARE = {"share": 0.3, "low": 0.2, "high": 0.4}


def pages(report: bytes) -> list[Pixels]:
    """Returns the pictures that the pages are."""
    assert report.startswith(b"%PDF-")
    found = re.findall(rb"\xff\xd8\xff.*?\xff\xd9(?=\s*endstream)", report, re.DOTALL)
    pictures = []
    for content in found:
        with Image.open(io.BytesIO(content)) as opened:
            pictures.append(np.asarray(opened))
    assert len(pictures) == len(re.findall(rb"/Type /Page\b", report))
    return pictures


@pytest.mark.parametrize(("regions", "expected"), [(0, 1), (14, 1), (15, 2), (56, 2), (57, 3)])
def test_a_heatmap(regions: int, expected: int) -> None:
    told = {
        **ABOUT,
        "image": {"width": 1000, "height": 640},
        "focus_score": 88.9,
        "above_the_fold": {"fold_px": 900, "share": 1.0},
        "regions": [
            {"name": f"Region {n} of a long name " * 3, **SHARE, "rank": n, "lift": 3.2} for n in range(regions)
        ],
    }
    found = pages(heatmap_report(decode_image(design(newer=True)), told))
    assert len(found) == expected
    assert all(page.shape[:2] == (1754, 1240) for page in found)
    # The offer of the design, bright, and the page around it, dark; its 1000 pixels fill 1060.
    page = found[0].astype(int)
    top = int(np.flatnonzero((page[:, 1140] < 60).all(axis=1))[0])
    x, y = 90 + int(700 * 1.06), top + int(230 * 1.06)
    assert page[y, x].min() > 230
    assert page[y, 120].max() < 70


def test_a_comparison_of_anything_that_fits_no_page() -> None:
    region = {"name": "Offer", "before": SHARE, "after": SHARE, "change": 0.2, "apart": True}
    told = {
        **ABOUT,
        "moved": 0.4,
        "focus_score": {"before": 40.0, "after": 50.0},
        "above_the_fold": {"fold_px": 900, "before": 0.5, "after": 0.6},
        "regions": [region],
    }
    for shape in ((20_000, 30, 3), (3, 5_000, 3)):
        assert len(pages(comparison_report(np.full(shape, 200, np.uint8), told))) == 1
