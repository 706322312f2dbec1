import json

import optuna
import pytest

from features.storage import StorageError
from models.behavior.options import TuneOptions
from models.behavior.search import TuningError, tune
from models.behavior.tuning import main
from models.examples_folder import DatasetError


def options(examples, output, **changes) -> TuneOptions:
    small = {"embedding_units": 4, "max_epochs": 2, "batch_size": 128, "learning_rate": 0.01, "encoder": "cnn"}
    return TuneOptions(**{"examples": str(examples), "output": str(output), **small, **changes})


def trials(folder) -> list[tuple[object, ...]]:
    study = optuna.load_study(study_name="behavior", storage=f"sqlite:///{folder}/study.db")
    return [(trial.params, trial.value) for trial in study.trials]


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def searched(examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, tune(options(examples, folder, trials=3))


def test_the_best_trial_has_the_lowest_validation_loss(searched) -> None:
    folder, best = searched
    found = trials(folder)
    assert len(found) == best.trials == 3
    assert (best.options, best.validation_loss) == min(found, key=lambda trial: trial[1])
    assert set(best.options) == {"units", "dropout", "l2"}
    assert json.loads((folder / "best.json").read_text())["options"] == best.options


def test_a_search_that_was_stopped_goes_the_same_way(searched, examples, tmp_path) -> None:
    """Stopped inside the second trial: that one is run again, and all three are those of the unbroken search."""
    epochs = []

    def stop(stage, done, total, note) -> None:
        epochs.append(stage) if stage == "epoch" else None
        if len(epochs) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        tune(options(examples, tmp_path, trials=3), stop)
    tune(options(examples, tmp_path, trials=3))
    assert [trial for trial in trials(tmp_path) if trial[1] is not None] == trials(searched[0])


def test_a_finished_search_has_nothing_to_do(searched, examples) -> None:
    folder, best = searched
    assert tune(options(examples, folder, trials=3)) == best


def test_a_study_of_other_options_is_refused(searched, examples) -> None:
    with pytest.raises(TuningError, match="study.db was made with batch_size 128, now it is 64; go back to that or"):
        tune(options(examples, searched[0], batch_size=64))


def test_examples_must_be_there(tmp_path) -> None:
    with pytest.raises(DatasetError, match="is not a complete examples folder"):
        tune(options(tmp_path, tmp_path / "study"))
    assert not (tmp_path / "study").exists()


def test_a_study_that_cannot_be_used_is_said_in_one_line(examples, tmp_path, tiny_disk) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(TuningError, match=r"cannot use the study .*/study.db \(file is not a database\); free") as e:
        tune(options(examples, tmp_path, trials=1))
    assert "\n" not in str(e.value)
    (tiny_disk / "filler").write_bytes(bytes(48 << 10))
    with pytest.raises(TuningError, match=r"cannot use the study .*/study.db \(database or disk is full\); free"):
        tune(options(examples, tiny_disk, trials=1))
    with pytest.raises(StorageError, match=r"cannot write .*: a parent of it is a file"):
        tune(options(examples, tmp_path / "study.db" / "below", trials=1))


def test_the_command_prints_what_to_train_with(searched, examples, capsys) -> None:
    folder, best = searched
    flags = ["--embedding-units=4", "--max-epochs=2", "--batch-size=128", "--learning-rate=0.01", "--encoder=cnn"]
    assert main(["--examples", str(examples), "--output", str(folder), "--trials=3", *flags]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"best of 3 trials: validation loss {best.validation_loss:.4f} with --units ")
