"""Which events moved a prediction: on a model in which one event is known to decide, and on a trained one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.coding import FeatureCoder
from features.events import EVENT_SCHEMA
from features.recent_events import encode_events
from models.behavior import attribution
from models.behavior.attribution import occlude
from models.behavior.loaded import LoadedModel, load_model
from models.behavior.scoring import History, score
from tests.deciding_model import DECIDES, write_deciding_model
from tests.tiny_model import GAP_SECONDS, SPEC, START_US, artifact

WITH, WITHOUT = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))
NAMES = ("Page Viewed", DECIDES, "Help Opened")


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = write_deciding_model(tmp_path_factory.mktemp("deciding") / "model")
    return load_model(folder, "purchase", "by hand")


@pytest.fixture(scope="module")
def trained() -> LoadedModel:
    return load_model(artifact(), "purchase", "v1")


def history(*events: tuple[float, str], full: bool = False) -> History:
    """Makes a visitor of (second, event), each on a page of its own."""
    table = {
        "message_id": [f"m{index}" for index in range(len(events))],
        "anonymous_id": ["v"] * len(events),
        "type": ["track"] * len(events),
        "event": [name for _, name in events],
        "timestamp_us": [START_US + round(second * 1e6) for second, _ in events],
        "url": [f"https://shop.example/{index}" for index in range(len(events))],
    }
    columns = [
        pa.array(table[f.name], f.type) if f.name in table else pa.nulls(len(events), f.type) for f in EVENT_SCHEMA
    ]
    return History(encode_events(pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)), full)


def probability(model: LoadedModel, given: History) -> float:
    return float(score(model, [given])[0].probabilities[1])


def explained(model: LoadedModel, given: History) -> attribution.Attribution:
    return occlude(model, given, score(model, [given])[0].probabilities)


def test_the_event_that_decides_has_all_of_the_change(deciding: LoadedModel) -> None:
    found = explained(deciding, history((0, "Page Viewed"), (9, DECIDES), (20, "Help Opened"), (25, "Page Viewed")))
    assert [(each.message_id, each.event) for each in found.events] == [
        ("m0", "Page Viewed"),
        ("m1", DECIDES),
        ("m2", "Help Opened"),
        ("m3", "Page Viewed"),
    ]
    assert [each.time_us - START_US for each in found.events] == [0, 9_000_000, 20_000_000, 25_000_000]
    assert [each.change for each in found.events] == [0, pytest.approx(WITH - WITHOUT, abs=1e-6), 0, 0]
    assert found.method == "occlusion"
    assert found.base == deciding.base_rate


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=SPEC.sequence_length))
@settings(max_examples=40, deadline=None)
def test_only_the_one_event_ever_counts_and_two_hide_each_other(deciding: LoadedModel, names: list[str]) -> None:
    """With the decisive event twice, leaving either one out changes little or nothing: the other still says it."""
    found = explained(deciding, history(*((10.0 * index, name) for index, name in enumerate(names))))
    for each in found.events:
        if each.event != DECIDES:
            assert names.count(DECIDES) > 1 or each.change == 0
        elif names.count(DECIDES) == 1:
            assert each.change == pytest.approx(WITH - WITHOUT, abs=1e-6)
        else:
            assert 0 <= each.change < WITH - WITHOUT


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(NAMES)), min_size=1, max_size=SPEC.sequence_length))
@settings(max_examples=40, deadline=None)
def test_probability_less_change_is_what_the_model_says_of_the_others(
    trained: LoadedModel, events: list[tuple[int, str]]
) -> None:
    """To the bit, by the very way a prediction is made; the pauses are too short to end a session."""
    times = np.cumsum([pause for pause, _ in events]).tolist()
    whole = [(second, name) for second, (_, name) in zip(times, events, strict=True)]
    rows = history(*whole).rows
    full = score(trained, [History(rows)])[0].probabilities
    found = occlude(trained, History(rows[::-1]), full)  # the order of arrival does not matter
    assert len(found.events) == len(events)
    for index, each in enumerate(found.events):
        rest = probability(trained, History([*rows[:index], *rows[index + 1 :]]))
        assert each.message_id == f"m{index}"
        assert np.float32(float(full[1]) - each.change) == np.float32(rest)
    if len(events) == 1:
        assert found.base + found.events[0].change == pytest.approx(float(full[1]), abs=1e-12)


def test_of_a_long_visit_the_last_events_are_explained_and_no_older_one_takes_a_place(trained: LoadedModel) -> None:
    longest = SPEC.sequence_length
    whole = [(float(second), "Page Viewed") for second in range(longest + 5)]
    given = history(*whole)
    found = explained(trained, given)
    assert [each.message_id for each in found.events] == [f"m{index}" for index in range(5, longest + 5)]
    last_but_one = [row for index, row in enumerate(given.rows) if index >= 5 and index != longest + 3]
    rest = probability(trained, History(last_but_one))
    assert np.float32(probability(trained, given) - found.events[-2].change) == np.float32(rest)


def test_leaving_an_event_out_does_not_end_a_session(trained: LoadedModel) -> None:
    """Without the one in the middle the others are further apart than a pause, and are one instance all the same."""
    apart = 0.6 * GAP_SECONDS
    given = history((0, "Page Viewed"), (apart, "Help Opened"), (2 * apart, "Page Viewed"))
    first, _, last = given.rows
    alone = probability(trained, History([last]))
    assert probability(trained, History([first, last])) == alone  # a session is found out anew
    found = explained(trained, given)
    assert len(found.events) == 3
    assert np.float32(probability(trained, given) - found.events[1].change) != np.float32(alone)


@pytest.mark.parametrize("given", [History([]), history((0, "Page Viewed"), (1, "Order Completed"))])
def test_where_there_is_nothing_to_predict_from_no_event_moved_anything(trained: LoadedModel, given: History) -> None:
    assert explained(trained, given).to_dict() == {"method": "occlusion", "base": trained.base_rate, "events": ()}


def test_hidden_events_and_those_before_them_move_nothing(trained: LoadedModel) -> None:
    found = explained(trained, history((0, "Page Viewed"), (1, "Order Completed"), (2, "A"), (3, "B")))
    assert [each.message_id for each in found.events] == ["m2", "m3"]


def test_one_call_of_the_graph_for_each_event_and_each_is_announced(trained: LoadedModel, monkeypatch) -> None:
    given = history(*((float(second), "Page Viewed") for second in range(6)))
    full = score(trained, [given])[0].probabilities
    asked, announced, coded = [], [], []
    call, encode = trained.predictor._call, FeatureCoder.encode
    monkeypatch.setattr(trained.predictor, "_call", lambda *a: asked.append(1) or call(*a))
    monkeypatch.setattr(FeatureCoder, "encode", lambda *a: coded.append(1) or encode(*a))
    occlude(trained, given, full, lambda: announced.append(len(asked)))
    assert (len(asked), announced) == (6, [0, 1, 2, 3, 4, 5])
    assert len(coded) == 2  # the instance itself, and all that lack an event


def test_it_can_be_ended_before_any_call(trained: LoadedModel) -> None:
    def enough() -> None:
        raise TimeoutError

    given = history((0, "A"), (1, "B"))
    with pytest.raises(TimeoutError):
        occlude(trained, given, score(trained, [given])[0].probabilities, enough)


def test_long_instances_are_coded_some_at_a_time_with_the_same_result(trained: LoadedModel, monkeypatch) -> None:
    given = history(*((7.0 * second, NAMES[second % 3]) for second in range(8)))
    whole = explained(trained, given)
    monkeypatch.setattr(attribution, "_MOST_STEPS", 17)
    assert explained(trained, given) == whole


def test_of_three_classes_the_likeliest_is_explained(make, tmp_path: Path) -> None:
    from models.behavior.options import TrainOptions
    from models.behavior.training import train

    folder = make.write_examples(tmp_path / "examples", {"train": 300, "validation": 120, "test": 120}, classes=3)
    output = train(TrainOptions(examples=str(folder), output=str(tmp_path / "model"), encoder="cnn", **make.small))
    model = load_model(Path(output), "kinds", "v1")
    given = history((0, "Page Viewed"), (5, "Page Viewed"))
    full = score(model, [given])[0].probabilities
    likeliest = int(full.argmax())
    found = occlude(model, given, full)
    assert found.base == float(model.base_rates[likeliest])
    rest = score(model, [History(given.rows[1:])])[0].probabilities
    assert np.float32(float(full[likeliest]) - found.events[0].change) == rest[likeliest]
