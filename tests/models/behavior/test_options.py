import numpy as np
import pytest

from models.behavior.options import OptionError, TrainOptions, TuneOptions


def options(**changes) -> TrainOptions:
    return TrainOptions(**{"examples": "data", "output": "model", **changes})


def test_auto_weights_give_every_class_the_same_say() -> None:
    # 900 and 100 of 1,000: 1000 / (2 * 900) and 1000 / (2 * 100)
    np.testing.assert_allclose(options().weights(np.array([900, 100])), [5 / 9, 5.0], rtol=1e-6)


def test_no_weights_are_ones() -> None:
    np.testing.assert_array_equal(options(class_weight="none").weights(np.array([900, 100])), [1, 1])


def test_one_number_is_the_weight_of_class_1_and_the_mean_weight_is_one() -> None:
    # weights 1 and 4 over 900 and 100 examples: mean (900 + 400) / 1000 = 1.3
    np.testing.assert_allclose(options(class_weight="4").weights(np.array([900, 100])), [1 / 1.3, 4 / 1.3], rtol=1e-6)


def test_weights_must_be_as_many_as_classes() -> None:
    with pytest.raises(OptionError, match="class_weight '1,2' has 2 numbers for 3 classes; give one per class"):
        options(class_weight="1,2").weights(np.array([1, 1, 1]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": ""}, "examples is missing; name a folder with --examples"),
        ({"output": ""}, "output is missing; name a folder with --output"),
        ({"encoder": "lstm"}, "encoder is 'lstm'; expected one of gru, cnn"),
        ({"units": 0}, "units is 0; expected a whole number from 1 to 4096"),
        ({"units": 1.5}, "units is 1.5; expected a whole number from 1 to 4096"),
        ({"dropout": 1.0}, "dropout is 1.0; expected a number from 0 to 0.95"),
        ({"l2": float("nan")}, "l2 is nan; expected a number from 0 to 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a number from 1e-08 to 1"),
        ({"batch_size": True}, "batch_size is True; expected a whole number from 1 to 1e\\+06"),
        ({"patience": 0}, "patience is 0; expected a whole number"),
        ({"seed": -1}, "seed is -1; expected a whole number"),
        ({"class_weight": "heavy"}, "class_weight is 'heavy'; expected auto, none, or positive numbers such as 1,5"),
        ({"class_weight": "1,-2"}, "class_weight is '1,-2'; expected auto, none, or positive numbers such as 1,5"),
    ],
)
def test_impossible_values_are_refused(changes, message) -> None:
    with pytest.raises(OptionError, match=message):
        options(**changes)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(OptionError, match="unknown option 'dropuot'; expected one of .*dropout"):
        TrainOptions.from_dict({"dropuot": 0.1})


def test_options_survive_the_round_trip() -> None:
    given = options(units=32, class_weight="1,5", resume=True)
    assert TrainOptions.from_dict(given.to_dict()) == given


def test_the_work_folder_stands_beside_the_output() -> None:
    assert options(output="a/model/").work_folder == "a/model.work"
    assert options(work_dir="elsewhere").work_folder == "elsewhere"


def test_a_trial_trains_with_what_was_found_and_the_rest_as_given() -> None:
    tuning = TuneOptions(examples="data", output="study", trials=3, batch_size=64)
    found = tuning.for_trial({"units": 16, "dropout": 0.1, "l2": 1e-4})
    assert found == options(output="study", max_epochs=15, batch_size=64, units=16, dropout=0.1, l2=1e-4)


def test_a_search_needs_a_trial() -> None:
    with pytest.raises(OptionError, match="trials is 0; expected a whole number"):
        TuneOptions(examples="data", output="study", trials=0)
