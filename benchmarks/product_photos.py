"""The product photographs that creative models are measured on, as examples: made by the pipeline, from nothing."""

import os
import sys
from pathlib import Path
from typing import Any

from pipelines.creative_examples import make_creative_examples
from pipelines.creative_options import CreativeExamplesOptions

DATA = Path(os.environ.get("AUGURY_DATA", Path(__file__).parents[2] / "shared" / "data")) / "products"


def make_examples(output: Path, size: int, **changes: Any) -> dict[str, Any]:
    """Runs the pipeline over the photographs with its default variants; returns the dataset card.

    Args:
        output: folder for the examples.
        size: of stored photos, pixels.
        changes: further options of the pipeline.
    """
    if not (DATA / "products.csv").exists():
        sys.exit(f"error: {DATA} holds no product photographs; point AUGURY_DATA at the shared data")
    options = CreativeExamplesOptions(
        catalogue=str(DATA / "products.csv"), images=str(DATA / "images"), output=str(output), size=size, **changes
    )
    return make_creative_examples(options)
