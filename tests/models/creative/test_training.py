import json
import shutil

import numpy as np
import pytest
import torch
import torchvision

from features.creative_spec import CreativeSpec, VariantSpec
from models.checkpoint import TrainingError
from models.creative import golden, training
from models.creative.options import TrainOptions
from models.creative.recognizer import Recognizer
from models.creative.train import main
from models.golden import GoldenError
from models.weights import WeightsError, read_weights

FILES = {
    "creative_spec.json",
    "dataset_card.json",
    "evaluation.json",
    "golden/features.npy",
    "golden/images.parquet",
    "golden/logits.npy",
    "model.json",
    "model.onnx",
    "model_card.json",
    "report.html",
    "weights.npz",
}


class Stop(Exception):
    pass


def test_an_artifact_holds_everything_and_nothing_else(artifact, make) -> None:
    assert {str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()} == FILES
    card = json.loads((artifact / "model_card.json").read_text())
    assert (card["family"], card["part"]) == ("creative", "recognizer")
    assert card["variants"] == list(make.spec().variant_names)
    assert card["fingerprint"] == make.spec().fingerprint
    assert card["parity"]["logits_max_abs"] <= 1e-4
    assert card["arguments"]["backbone"] == "resnet18"
    assert len(card["history"]) == card["epochs"] == 3
    assert 0 <= card["metrics"]["accuracy"] <= 1
    assert set(card["metrics_by_kind"]) == {"Shoes", "Hat"}


def test_the_report_stands_alone(artifact) -> None:
    page = (artifact / "report.html").read_text()
    assert "Does the model know which version of a photo it sees?" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_golden_vectors_are_replayed_bit_for_bit(artifact) -> None:
    found = golden.replay(artifact)
    assert (found.total, found.identical, found.differing) == (12, 12, ())


def test_another_model_is_noticed(artifact, make, examples, tmp_path) -> None:
    options = TrainOptions(
        examples=str(examples), output=str(tmp_path / "m"), **{**make.small, "seed": 1, "max_epochs": 1}
    )
    other = Recognizer.load(training.train(options))
    assert golden.replay(artifact, other).identical == 0


@pytest.mark.parametrize("file", [golden.INSTANCES_FILE, golden.LOGITS_FILE])
def test_a_damaged_golden_set_is_one_line(file, artifact, tmp_path) -> None:
    for path in FILES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((artifact / path).read_bytes())
    (tmp_path / file).write_bytes(b"nothing")
    with pytest.raises(GoldenError, match="holds no readable golden set") as e:
        golden.replay(tmp_path)
    assert "\n" not in str(e.value)
    np.save(tmp_path / golden.LOGITS_FILE, np.zeros((2, 6), np.float32))
    (tmp_path / golden.INSTANCES_FILE).write_bytes((artifact / golden.INSTANCES_FILE).read_bytes())
    with pytest.raises(GoldenError, match=r"expected float32 \(12, 6\): train again"):
        golden.replay(tmp_path)


def test_a_stopped_training_goes_on_to_the_same_bits(artifact, examples, make, tmp_path) -> None:
    options = {"examples": str(examples), "output": str(tmp_path / "model"), **make.small}

    def stop(stage: str, done: int, *_) -> None:
        if (stage, done) == ("epoch", 2):
            raise Stop

    with pytest.raises(Stop):
        training.train(TrainOptions(**options), stop)
    assert not (tmp_path / "model").exists()
    resumed = training.train(TrainOptions(**options, resume=True))
    first, second = (read_weights(folder) for folder in (artifact, resumed))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert golden.replay(artifact, Recognizer.load(resumed)).differing == ()


def test_an_output_that_exists_is_kept(artifact, examples, make) -> None:
    with pytest.raises(TrainingError, match="exists already; choose another --output"):
        training.train(TrainOptions(examples=str(examples), output=str(artifact), **make.small))


def test_seven_variants_make_seven_outputs(make, tmp_path) -> None:
    from features.creative_names import DEFAULT_VARIANTS

    names = (*DEFAULT_VARIANTS, "recoloured")
    spec = CreativeSpec(width=32, height=32, variants=tuple(map(VariantSpec, names)))
    examples = make.write(tmp_path / "examples", {"train": 2, "validation": 1, "test": 1}, spec)
    options = {**make.small, "max_epochs": 1, "golden_products": 1}
    model = training.train(TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **options))
    assert Recognizer.load(model).variants == names
    assert len(json.loads((model / "evaluation.json").read_text())["confusion"]) == 7


def test_a_training_begins_with_a_recogniser_trained_before(artifact, examples, make, tmp_path) -> None:
    """A step so small that nothing moves shows that every weight was taken over, the last layer's too."""
    options = {**make.small, "max_epochs": 1, "average": 0.0, "learning_rate": 1e-8, "weights": str(artifact)}
    begun = training.train(TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **options))
    before, after = read_weights(artifact), read_weights(begun)
    assert before.keys() == after.keys()
    for name, value in before.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(after[name], value, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": "resnet34"}, "cannot begin with .*expected an artifact of a network with the same options"),
        ({"tones": 8}, "cannot begin with .*expected an artifact of a network with the same options"),
    ],
)
def test_weights_of_another_shape_are_refused(changes, said, artifact, examples, make, tmp_path) -> None:
    options = {**make.small, "weights": str(artifact), **changes}
    with pytest.raises(WeightsError, match=said) as e:
        training.train(TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **options))
    assert "\n" not in str(e.value)
    assert not (tmp_path / "model").exists()


def test_a_recogniser_of_other_variants_is_refused(artifact, examples, make, tmp_path) -> None:
    other = tmp_path / "other"
    shutil.copytree(artifact, other)
    spec = CreativeSpec(width=32, height=32, variants=(VariantSpec("original"), VariantSpec("darker")))
    (other / "creative_spec.json").write_text(spec.to_json())
    with pytest.raises(WeightsError, match="tells original, darker apart, the examples are original, brighter"):
        options = {**make.small, "weights": str(other)}
        training.train(TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **options))


def test_the_command_takes_weights_from_a_file(examples, tmp_path, capsys, make) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "w.pth")
    argv = ["--examples", str(examples), "--output", str(tmp_path / "model"), "--backbone", "resnet18"]
    argv += ["--weights", str(tmp_path / "w.pth"), "--max-epochs", "1", "--threads", "1", "--golden-products", "1"]
    assert main(argv) == 0
    assert "accuracy" in capsys.readouterr().out
    assert main([*argv, "--backbone", "vgg"]) == 1
    assert "error: backbone is 'vgg'; expected one of resnet18" in capsys.readouterr().err
