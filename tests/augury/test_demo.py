import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from augury.demo import DemoError, DemoOptions, TrainingFailedError, examples_options, run_demo, training_options
from augury.demo_figures import TruthError, measure, true_probabilities
from features.errors import AuguryError
from models.registry import Registry
from pipelines.behavior_recipe import ExamplesOptions


def test_from_nothing_to_a_promoted_version(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # So few test examples say little about calibration: the gate is opened wide.
    options = DemoOptions(str(tmp_path / "demo"), visitors=1200, max_epochs=2, max_ece=0.2)
    summary = run_demo(options)
    shown = capfd.readouterr().out

    assert json.loads((tmp_path / "demo/demo.json").read_text()) == summary
    planted = json.loads((tmp_path / "demo/shop/simulation.json").read_text())["counts"]
    events = summary["events"]
    assert events["read"] == planted["rows"]
    assert {reason: number for reason, number in events["rejected"].items() if number} == {
        key.removeprefix("malformed_"): value
        for key, value in planted.items()
        if key.startswith("malformed_") and value
    }
    assert events["dropped"]["bot"] == planted["bot_events"]
    assert events["dropped"]["test_event"] == planted["test_events"]
    assert summary["sessions"] == 1200
    assert sum(split["examples"] for split in summary["splits"].values()) == planted["instances"]

    figures = summary["figures"]
    assert list(figures) == ["truth", "model", "trees", "base_rate"]
    assert figures["truth"]["distance"] == 0
    assert figures["base_rate"]["auc"] == 0.5
    assert 0.6 < figures["model"]["auc"] < figures["truth"]["auc"] + 0.1
    assert figures["model"]["distance"] < figures["base_rate"]["distance"]

    assert summary["promoted"] and all(gate["passed"] for gate in summary["gates"])
    golden = next(gate for gate in summary["gates"] if gate["name"] == "golden set")
    total = int(golden["detail"].split()[0])
    assert golden["detail"] == f"{total} of {total} predictions are identical bit for bit"
    champion = Registry(str(tmp_path / "demo/registry")).champion("behavior", "purchase")
    assert champion is not None and champion.version == summary["version"]
    assert Path(summary["report"]).read_text().lstrip().lower().startswith("<!doctype html")
    assert list(summary["seconds"]) == [
        "simulate a shop", "make examples", "train, calibrate, evaluate", "publish", "try the gates and promote",
    ]  # fmt: skip
    for text in (
        "mean distance to the true probability",
        "boosted trees",
        summary["version"],
        summary["report"],
        "row rejected",
    ):
        assert text in shown


def test_real_shop_events_go_the_whole_way(tmp_path: Path) -> None:
    events = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "retailrocket" / "events.csv.gz"
    if not events.exists():
        pytest.skip(f"{events} is absent; set AUGURY_DATA to the folder of data sets")
    asked = DemoOptions(
        str(tmp_path / "demo"),
        events=str(events),
        mapping=str(Path(__file__).parents[2] / "examples/retailrocket.toml"),
        max_events=10_000,
        max_epochs=1,
    )
    summary = run_demo(asked)
    assert summary["events"] == {"read": 97_381, "rejected": {}, "dropped": {}}
    assert all(split["examples"] > 5_000 for split in summary["splits"].values())
    assert summary["figures"]["model"]["auc"] > 0.6
    golden = next(gate for gate in summary["gates"] if gate["name"] == "golden set")
    assert golden["detail"] == "1000 of 1000 predictions are identical bit for bit"


def test_a_failed_training_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "events.jsonl"  # nobody buys: there is one class only
    row = {"type": "page", "messageId": "1"}
    days = [row | {"anonymousId": f"a{i}", "timestamp": f"2026-08-{i % 28 + 1:02}T00:00:00Z"} for i in range(280)]
    log.write_text("".join(json.dumps(day) + "\n" for day in days))
    with pytest.raises(TrainingFailedError, match=r"training ended with exit code 1; what it said is above"):
        run_demo(DemoOptions(str(tmp_path / "demo"), events=str(log)))
    assert "error: " in capfd.readouterr().err
    assert not (tmp_path / "demo/model").exists()


def test_own_events_are_asked_at_page_views_with_the_end_as_test() -> None:
    options = DemoOptions("out", events="events.csv.gz", mapping="shop.toml", horizon_events=5, max_events=2000, seed=3)
    assert examples_options(options) == ExamplesOptions(
        events=("events.csv.gz",),
        output="out/examples",
        adapter="shop.toml",
        generator="purchase_points",
        generator_params='{"view_events":["Page Viewed","Screen Viewed","Product Viewed"],"horizon_events":5}',
        gap_minutes=30.0,
        max_events=2000,
        split_by="time",
        validation=0.2,
        test=0.2,
        seed=3,
    )
    assert training_options(options).output == "out/model"


def test_the_simulated_shop_is_asked_where_its_truth_is_known() -> None:
    made = examples_options(DemoOptions("out"))
    assert (made.events, made.generator, made.gap_minutes) == (("out/shop/events",), "purchase", None)


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match=r"holds 'thesis.txt', which no demo made; name another folder"):
        run_demo(DemoOptions(str(tmp_path)))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["examples", "thesis.txt"]
    with pytest.raises(DemoError, match=r"thesis.txt is a file; name a folder"):
        run_demo(DemoOptions(str(tmp_path / "thesis.txt")))


def test_what_other_commands_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()  # as `augury publish` makes it
    with pytest.raises(DemoError, match=r"holds 'registry', which no demo made; name another folder"):
        run_demo(DemoOptions(str(tmp_path)))
    assert (tmp_path / "registry").exists()


@pytest.mark.parametrize(
    ("events", "mapping", "message"),
    [
        ("nowhere.jsonl", "segment", "nowhere.jsonl: no such file"),
        ("demo/shop/*.jsonl", "nowhere.toml", "nowhere.toml: no mapping file can be read there"),
        ("demo/shop/*.jsonl", "segment", "output demo holds the events .*demo/shop/a.jsonl and would be replaced"),
    ],
)
def test_events_that_cannot_be_read_cost_no_earlier_demo(
    events: str, mapping: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo/shop").mkdir(parents=True)
    for name in (".augury-demo", "shop/a.jsonl"):
        (tmp_path / "demo" / name).write_text("{}\n")
    with pytest.raises(AuguryError, match=message):
        run_demo(DemoOptions("demo", events=events, mapping=mapping))
    assert (tmp_path / "demo/shop/a.jsonl").exists()


def test_an_earlier_demo_makes_room_whatever_became_of_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine").write_text("x")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/.augury-demo").write_text("")
    (tmp_path / "demo/shop").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "demo/examples").write_text("a file")
    events = tmp_path / "events.jsonl"
    events.write_text("no event\n")
    with pytest.raises(AuguryError, match="1 of 1 rows"):
        run_demo(DemoOptions(str(tmp_path / "demo"), events=str(events)))
    assert not (tmp_path / "demo/shop").exists()
    assert not (tmp_path / "demo/examples").exists()
    assert (tmp_path / "elsewhere/mine").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": ""}, "output is empty; name a folder"),
        ({"mapping": "m.toml"}, "mapping is 'm.toml', but there are no events to read by it; give events as well"),
        ({"visitors": 10}, "visitors is 10; expected 1000 or more"),
        ({"max_epochs": 0}, "max_epochs is 0; expected 1 or more"),
        ({"horizon_events": 0}, "horizon_events is 0; expected 1 or more"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DemoError) as refused:
        DemoOptions(**options)
    assert str(refused.value) == message


def _predictions(**columns: Any) -> pa.Table:
    return pa.table({"visitor": ["b", "a", "a"], "time_us": [7, 5, 6], "label": [1, 0, 1], **columns})


def _truth(visitors: list[str]) -> pa.Table:
    times, found = [5, 6, 7, 8], [0.125, 0.5, 0.75, 0.25]
    return pa.table({"anonymous_id": visitors, "time_us": times, "probability": found})


def test_truth_is_found_by_visitor_and_time() -> None:
    assert true_probabilities(_predictions(), _truth(["a", "a", "b", "b"])).tolist() == [0.75, 0.125, 0.5]


def test_an_instance_without_truth_is_an_error() -> None:
    message = r"1 of 3 test instances are not in the truth; were the examples made of this simulation\?"
    with pytest.raises(TruthError, match=message):
        true_probabilities(_predictions(), _truth(["a", "a", "c", "b"]))


def test_figures_by_hand(tmp_path: Path) -> None:
    pq.write_table(_predictions(model=[0.5, 0.25, 0.125]), tmp_path / "predictions.parquet")
    found = measure(tmp_path, _truth(["a", "a", "b", "b"]))
    assert list(found) == ["truth", "model"]
    assert found["truth"]["auc"] == 1.0
    assert found["model"]["auc"] == 0.5  # of two pairs of a positive and a negative, one is in order
    assert found["model"]["log_loss"] == pytest.approx(-np.log([0.5, 0.75, 0.125]).mean())
    assert found["model"]["distance"] == pytest.approx((0.25 + 0.125 + 0.375) / 3)
    assert list(measure(tmp_path, None)) == ["model"]
