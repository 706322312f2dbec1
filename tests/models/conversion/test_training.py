"""From examples, embeddings and a recogniser to an artifact; and what is refused before any work."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.creative_spec import CreativeSpec
from models.artifact import PredictorError
from models.checkpoint import TrainingError
from models.creative.conversion import golden
from models.creative.conversion.training import train
from models.examples_folder import DatasetError
from models.gates import Gates, Thresholds
from models.golden import GoldenError
from models.options import OptionError
from tests.tiny_creative import small_options, write_embeddings, write_examples, write_recognizer


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_the_artifact_holds_all_that_serving_needs(artifact):
    names = {str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()}
    assert {
        *("creative_spec.json", "dataset_card.json", "model.json", "model_card.json", "evaluation.json"),
        *("report.html", "inputs.json", "calibration.json", "catalogue.parquet", "recognizer/model.onnx"),
        *("recognizer/model.json", "recognizer/creative_spec.json", "golden/photos.parquet", "golden/predictions.npy"),
        *(f"trees/{target}/member-004.ubj" for target in ("open_rate", "click_through")),
    } <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle"))]
    assert not (artifact.parent / "model.work/open_rate.db").exists()


def test_the_card_says_that_the_data_are_simulated_and_what_could_be_reached(artifact):
    card = read(artifact, "model_card.json")
    assert card["simulated"]["how"] == "test"
    assert card["noise_ceiling"] == {"open_rate.accuracy": 0.8, "click_through.accuracy": 0.8}
    assert card["not_recorded"] == ["abandoned_cart", "unsubscribed"]
    assert card["catalogue"] == {"products": 50, "left_out": 14}


def test_what_was_put_in_is_found(artifact):
    evaluation = read(artifact, "evaluation.json")
    for part in evaluation["targets"].values():
        assert part["metrics"]["accuracy"] > 0.77
        assert part["metrics"]["log_loss"] < part["base"]["log_loss"]
        assert abs(part["truth"]["auc_gap"]) < 0.03
        assert part["truth"]["coverage"] > 0.8
        assert part["importance"]["photo"] > 0.02
        assert abs(part["importance"]["industry"]) < 1e-3
        assert [row["name"] for row in part["by_variant"]][:2] == ["original", "brighter"]
    assert evaluation["metrics"]["ece"] == max(part["metrics"]["ece"] for part in evaluation["targets"].values())


def test_the_report_says_so_too_and_needs_nothing_else(artifact):
    page = (artifact / "report.html").read_text()
    assert "The conversions are simulated." in page
    assert "nobody can do better" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_golden_set_is_replayed_bit_for_bit(artifact, tmp_path):
    assert golden.replay(artifact) == golden.Replay(3, ())
    changed = Path(shutil.copytree(artifact, tmp_path / "changed"))
    kept = np.load(changed / "golden/predictions.npy")
    kept[1, 0, 0, 0] = np.nextafter(kept[1, 0, 0, 0], 1)
    np.save(changed / "golden/predictions.npy", kept)
    found = golden.replay(changed)
    assert (found.total, found.identical, len(found.differing)) == (3, 2, 1)
    np.save(changed / "golden/predictions.npy", kept[:, :1])
    with pytest.raises(GoldenError, match=r"holds float64 \(3, 1, 6, 3\); expected float64 \(3, 2, 6, 3\)"):
        golden.replay(changed)


def test_the_gates_of_the_family_know_its_metrics(artifact):
    thresholds = replace(Thresholds.of("creative"), max_ece=0.2)
    assert [found for found in Gates(thresholds, golden.replay).check(artifact, None) if not found.passed] == []


def test_the_same_options_give_the_same_model(data, artifact, tmp_path):
    again = train(small_options(data, tmp_path / "again", catalogue=50))
    for name in ("golden/predictions.npy", "calibration.json", "trees/open_rate/member-003.ubj"):
        assert (again / name).read_bytes() == (artifact / name).read_bytes()


def test_a_search_goes_on_where_it_was_stopped(data, tmp_path):
    def options(name, **changes):
        return small_options(data, tmp_path / name, targets="open_rate", rounds=15, **changes)

    whole = train(options("whole", trials=4))

    def stop(stage, done, total, note):
        if stage == "search open_rate" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(options("parts", trials=4), stop)
    assert not (tmp_path / "parts").exists()
    with pytest.raises(TrainingError, match="was made with rounds 15, now it is 16; go back to that or train without"):
        train(replace(options("parts", trials=4, resume=True), rounds=16))
    parts = train(options("parts", trials=4, resume=True))
    assert read(parts, "model_card.json")["search"] == read(whole, "model_card.json")["search"]
    assert read(parts, "model_card.json")["search"]["open_rate"]["trials"] == 4
    assert (parts / "golden/predictions.npy").read_bytes() == (whole / "golden/predictions.npy").read_bytes()


def test_a_reduced_vector_of_features(data, tmp_path):
    folder = train(small_options(data, tmp_path / "model", vector="features", reduce=2, targets="open_rate"))
    assert read(folder, "inputs.json")["seen"] == 2
    assert golden.replay(folder).identical == 3
    with pytest.raises(OptionError, match="reduce is 5; expected at most 4"):
        train(small_options(data, tmp_path / "other", vector="features", reduce=5))


def refused(data, tmp_path, said, error=DatasetError, **changes):
    with pytest.raises(error, match=said):
        train(small_options(data, tmp_path / "model", **changes))
    assert not (tmp_path / "model").exists()


def changed_copy(data, tmp_path, name):
    copy = Path(shutil.copytree(data[name], tmp_path / name))
    return copy, {**data, name: str(copy)}


def rewrite(path, change):
    pq.write_table(change(pq.read_table(path)), path)


def test_a_target_that_is_unknown_or_was_not_recorded(data, tmp_path):
    said = "targets has 'unsubscribed', which was not recorded; recorded are open_rate, click_through"
    refused(data, tmp_path, said, OptionError, targets="unsubscribed")


def test_a_target_of_one_class_only(data, tmp_path):
    copy, given = changed_copy(data, tmp_path, "examples")
    for path in copy.glob("*/conversions-*.parquet"):
        rewrite(path, lambda t: t.set_column(t.schema.get_field_index("opened"), "opened", t.column("sent")))
    refused(given, tmp_path, "open_rate: 9,600 of 9,600 sent in train; nothing can be learnt where all say the same")


def test_too_few_products(data, tmp_path):
    said = "open_rate was recorded of 12 products in validation; expected at least 13"
    refused(data, tmp_path, said, min_products=13)


def test_another_recogniser(data, tmp_path):
    other = str(write_recognizer(tmp_path / "other", scale=2.0))
    refused({**data, "recognizer": other}, tmp_path, "were made by a recogniser with SHA-256 [0-9a-f]{12}, .* has ")


def test_vectors_that_the_recogniser_does_not_make(data, tmp_path):
    copy, given = changed_copy(data, tmp_path, "embeddings")

    def double(table):
        values = pa.array([[2 * x for x in row] for row in table.column("logits").to_pylist()], pa.list_(pa.float32()))
        return table.set_column(table.schema.get_field_index("logits"), "logits", values)

    for path in copy.glob("*/embeddings-*.parquet"):
        rewrite(path, double)
    refused(given, tmp_path, "the logits of 'test-.*' are not what .* makes of the photo")


def test_embeddings_of_other_photos(data, tmp_path):
    copy, given = changed_copy(data, tmp_path, "embeddings")
    for path in copy.glob("*/embeddings-*.parquet"):
        rewrite(path, lambda t: t.set_column(2, "image_id", pa.array(["0" * 64] * t.num_rows)))
    refused(given, tmp_path, "has an embedding of '.*' made of image 000000000000, the examples have ")


def test_embeddings_and_recogniser_of_another_spec(data, tmp_path):
    other = CreativeSpec(width=48, height=48)
    examples = write_examples(tmp_path / "examples48", other)
    given = {**data, "examples": str(examples)}
    refused(given, tmp_path, "has fingerprint .*; what the model is asked", PredictorError)
    recognizer = write_recognizer(tmp_path / "recognizer48", other)
    refused({**given, "recognizer": str(recognizer)}, tmp_path, "were made with the spec .*, the examples .* with")


def test_embeddings_of_fewer_photos(data, tmp_path):
    few = {"train": 39, "validation": 12, "test": 12}
    examples = write_examples(tmp_path / "few", counts=few)
    recognizer = Path(data["recognizer"])
    embeddings = write_embeddings(tmp_path / "embeddings", examples, recognizer, few)
    refused({**data, "embeddings": str(embeddings)}, tmp_path, "hold 234 photos of train, the examples .* 240; run")
    card = Path(data["embeddings"]) / "dataset_card.json"
    shutil.copyfile(card, embeddings / "dataset_card.json")
    said = "12 conversions are about photos without an embedding, such as product 'train-39', variant 'brighter'"
    refused({**data, "embeddings": str(embeddings)}, tmp_path, said)


@pytest.mark.parametrize(
    ("name", "pattern", "column"),
    [("examples", "conversions-*", "campaign_type"), ("embeddings", "embeddings-*", "features")],
)
def test_a_missing_column(data, tmp_path, name, pattern, column):
    copy, given = changed_copy(data, tmp_path, name)
    for path in copy.glob(f"train/{pattern}.parquet"):
        rewrite(path, lambda t: t.drop_columns([column]))
    refused(given, tmp_path, f"has no column '{column}'; write .* again")


def test_a_product_in_two_splits(data, tmp_path):
    copy, given = changed_copy(data, tmp_path, "examples")
    embeddings, given = changed_copy(given, tmp_path, "embeddings")
    for folder, name in ((copy, "conversions"), (embeddings, "embeddings")):
        theirs = pq.read_table(folder / f"train/{name}-00000.parquet")
        theirs = theirs.filter(pc.equal(theirs.column("product"), "train-00"))
        rewrite(folder / f"test/{name}-00000.parquet", lambda t, theirs=theirs: pa.concat_tables([t, theirs]))
    refused(given, tmp_path, "product 'train-00' is in train and in test; write the examples again")


def test_embeddings_that_were_not_finished(data, tmp_path):
    copy, given = changed_copy(data, tmp_path, "embeddings")
    (copy / "dataset_card.json").unlink()
    refused(given, tmp_path, "is no complete folder of embeddings .*; run `augury creative-embeddings` to its end")


def test_an_output_that_exists_is_left_alone(data, artifact):
    with pytest.raises(TrainingError, match="exists already; choose another --output, or remove it"):
        train(small_options(data, artifact))
