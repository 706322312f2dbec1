"""Measures, of the embeddings that trees learn from, how far versions of one product are apart."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.creative_spec import CreativeSpec
from models.creative.conversion.data import TrainingData
from models.creative.conversion.rows import Photos
from models.creative.sameness import Sameness

_MOST_PRODUCTS = 5_000  # of each split: more change the limits by less than they are uncertain, and need memory


def write_sameness(folder: Path, data: TrainingData, spec: CreativeSpec) -> None:
    """Measures on products of the training and validation splits, and writes what it finds into an artifact."""
    train, validation = (_whole(data.photos[split], spec) for split in ("train", "validation"))
    if len(train) and len(validation):
        found, confused = Sameness.measure(spec, train, validation)
        found.save(folder, spec, len(validation), confused)


def _whole(photos: Photos, spec: CreativeSpec) -> npt.NDArray[np.float32]:
    """Returns the features of products of which all variants are there, float32 (P, V, D)."""
    products = sorted(set(photos.table.column("product").to_pylist()))
    columns = [photos.find(pa.array(products), pa.array([name] * len(products))) for name in spec.variant_names]
    places = np.stack(columns, axis=1)  # (P, V)
    places = places[(places >= 0).all(axis=1)]
    step = max(1, -(-len(places) // _MOST_PRODUCTS))
    return photos.vectors["features"][places[::step]]
