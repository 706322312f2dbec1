"""A model on a device whose bits are not those of training: its golden set is compared by value, within a tolerance."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.heatmaps import encode_png
from models.artifact import PredictorError
from models.cards import ModelError
from serving.attention.loaded import load_model, spot_check
from tests.tiny_attention import write_attention_artifact


@pytest.fixture
def folder(tmp_path):
    """An artifact with a golden set of two images."""
    made = write_attention_artifact(tmp_path / "model")
    model = load_model(made, "pages", "one")
    images = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8) for seed in (0, 1)]
    (made / "golden").mkdir()
    rows = {"image_id": ["a", "b"], "set": ["bright"] * 2, "encoded": [encode_png(image) for image in images]}
    pq.write_table(
        pa.table(rows, pa.schema([("image_id", "string"), ("set", "string"), ("encoded", "binary")])),
        made / "golden" / "images.parquet",
    )
    np.save(made / "golden" / "predictions.npy", np.stack([model.attend(image) for image in images]))
    return made


def moved(folder, by):
    """Moves every golden density by a share of its mean."""
    kept = np.load(folder / "golden" / "predictions.npy")
    np.save(folder / "golden" / "predictions.npy", kept + np.float32(by / kept[0].size))


def test_on_a_processor_every_bit_counts(folder) -> None:
    model = load_model(folder, "pages", "one")
    spot_check(model, folder)
    moved(folder, 1e-4)
    with pytest.raises(ModelError, match="gives other maps than training computed of 2 of 2 golden images"):
        spot_check(model, folder)


def test_elsewhere_the_values_count(folder) -> None:
    model = load_model(folder, "pages", "one")
    model.predictor.exact = False
    moved(folder, 1e-4)
    spot_check(model, folder)
    moved(folder, 1e-2)
    with pytest.raises(ModelError, match="gives other maps than training computed of 2 of 2 golden images"):
        spot_check(model, folder)


def test_a_device_that_is_not_there_is_an_error_of_the_version(folder) -> None:
    with pytest.raises(PredictorError, match="device is 'tpu'; expected one of cpu, cuda"):
        load_model(folder, "pages", "one", device="tpu")
