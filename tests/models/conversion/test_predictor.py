"""The loaded artifact: rates of rows, unseen categories, variants of a photo, look-alikes; damaged ones are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.creative_spec import CreativeSpec
from features.variants_stored import make_variants
from models.artifact import PredictorError
from models.creative.catalogue import Catalogue
from models.creative.predictor import CreativeModel
from models.creative.recognizer import Vectors
from tests.tiny_creative import photo


@pytest.fixture(scope="module")
def model(artifact):
    return CreativeModel.load(artifact, threads=1)


def embed(model, product):
    return model.embed(np.stack(make_variants(photo(product), model.spec)))


def test_the_right_version_wins_in_each_campaign(model):
    vectors = embed(model, "never-seen")
    for campaign_type, winner in (("newsletter", "brighter"), ("launch", "darker")):
        campaign = {"campaign_type": campaign_type, "brand": "Aster", "industry": "fashion", "kind": "shoe"}
        rates = model.probabilities(vectors, campaign).estimates["open_rate"]
        best = int(rates.probability.argmax())
        assert model.spec.variant_names[best] == winner
        assert rates.probability.dtype == np.float64
        assert ((rates.low < rates.probability) & (rates.probability < rates.high)).all()
        assert rates.difference(best, 0).value > 0.4
        assert not rates.difference(model.spec.variant_names.index("rotated"), 0).reliable


def test_rows_have_their_own_campaigns_and_keep_their_bits_alone(model):
    vectors = embed(model, "never-seen")
    types = ["newsletter", "launch", "newsletter", "launch", "newsletter", "launch"]
    together = model.probabilities(vectors, {"campaign_type": types, "brand": "Birk"}, ["open_rate"])
    assert tuple(together.estimates) == ("open_rate",)
    alone = model.probabilities(
        Vectors(vectors.logits[1:2], vectors.features[1:2]), {"campaign_type": "launch", "brand": "Birk"}, ["open_rate"]
    )
    for name in ("probability", "low", "high"):
        whole, own = getattr(together.estimates["open_rate"], name), getattr(alone.estimates["open_rate"], name)
        assert whole[1:2].tobytes() == own.tobytes()


def test_an_unseen_category_is_missing_and_counted(model):
    vectors = embed(model, "never-seen")
    unseen = model.probabilities(vectors, {"campaign_type": "carnival", "brand": ["Elm"] * 3 + ["Aster"] * 3})
    assert unseen.unseen == {"campaign_type": 6, "industry": 0, "brand": 3, "gender": 0, "kind": 0}
    missing = model.probabilities(vectors, {"campaign_type": None, "brand": [None] * 3 + ["Aster"] * 3})
    assert not any(missing.unseen.values())
    for target in model.targets:
        np.testing.assert_array_equal(unseen.estimates[target].probability, missing.estimates[target].probability)


def test_variants_of_a_photo_are_those_of_its_vectors(model):
    campaign = {"campaign_type": "launch"}
    whole = model.variants(photo("x"), campaign).estimates["open_rate"].probability
    np.testing.assert_array_equal(
        whole, model.probabilities(embed(model, "x"), campaign).estimates["open_rate"].probability
    )


def test_what_cannot_be_asked(model):
    vectors = embed(model, "x")
    with pytest.raises(
        PredictorError, match="target 'unsubscribed' is not predicted; expected one of open_rate, click"
    ):
        model.probabilities(vectors, {}, ["unsubscribed"])
    with pytest.raises(PredictorError, match="unknown category 'weather'"):
        model.probabilities(vectors, {"weather": "rain"})


def test_look_alikes_come_from_the_catalogue(model, artifact):
    catalogue = Catalogue.load(artifact)
    assert len(catalogue) == 50
    own = catalogue.table.column("product").to_pylist()[7]
    features = catalogue.vectors.features[7]
    places, alike = catalogue.nearest(features, 5, kind="shoe")
    assert (int(places[0]), len(places)) == (7, 5)
    assert alike[0] == pytest.approx(1.0)
    assert (np.diff(alike) <= 0).all()
    without, _ = catalogue.nearest(features, 5, leave_out=(own,))
    assert 7 not in without
    assert len(catalogue.nearest(features, 5, kind="hat")[0]) == 0
    assert catalogue.take(places).table.column("product")[0].as_py() == own
    vectors = model.embed(np.stack(make_variants(photo(own), model.spec))[:1])
    np.testing.assert_allclose(vectors.features[0], features, atol=1e-4)
    assert catalogue.table.column("thumbnail")[0].as_py()[:2] == b"\xff\xd8"


def test_a_damaged_artifact_is_refused(artifact, tmp_path):
    folder = Path(shutil.copytree(artifact, tmp_path / "model"))
    with pytest.raises(PredictorError, match="the spec in use has"):
        CreativeModel.load(folder, CreativeSpec(width=48, height=48))
    whole = (folder / "inputs.json").read_text()
    (folder / "inputs.json").write_text(json.dumps({**json.loads(whole), "width": 7, "seen": 7}))
    with pytest.raises(PredictorError, match="the trees see 'logits' of 7 numbers, the recogniser gives 6"):
        CreativeModel.load(folder)
    (folder / "inputs.json").write_text(whole)
    (folder / "calibration.json").write_text("{}")
    with pytest.raises(PredictorError, match="model.json and calibration.json do not hold together"):
        CreativeModel.load(folder)
    (folder / "calibration.json").write_text((artifact / "calibration.json").read_text())
    (folder / "trees/open_rate/member-001.ubj").unlink()
    with pytest.raises(PredictorError, match="cannot read the trees"):
        CreativeModel.load(folder)
    (folder / "catalogue.parquet").write_bytes(b"no")
    with pytest.raises(PredictorError, match="cannot read .*catalogue.parquet"):
        Catalogue.load(folder)
