import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from sklearn.metrics import roc_auc_score

from augury.simulator import (
    TRUTH_SCHEMA,
    Simulation,
    SimulationError,
    SimulationOptions,
    load_simulation,
    read_truth,
    simulate,
)
from augury.simulator_trouble import Trouble
from augury.simulator_world import AGENT_DEVICES, DEVICES, FIRST_AGENT, USER_AGENTS
from example_generators.catalogue import load_generator
from features.adapters import get_adapter
from features.agents import is_bot, parse_agent
from features.cleaning import CleaningRules, clean
from features.events import EVENT_SCHEMA
from features.sessions import SessionRules, Window, build_sessions
from features.storage import StorageError
from tests.augury.reference_shop import device_of, probability

CLEAN = Trouble(**{field.name: 0.0 for field in fields(Trouble)})
HEAVY = Trouble(0.01, 0.002, 0.01, 0.02, 0.03, 0.05, 0.02)


def _simulated(folder: Path, **options: Any) -> Simulation:
    return simulate(SimulationOptions(str(folder), **options))


@pytest.fixture(scope="module")
def spotless(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """20,000 visitors without any trouble."""
    folder = tmp_path_factory.mktemp("spotless") / "shop"
    return _simulated(folder, seed=3, format="parquet", trouble=CLEAN)


@pytest.fixture(scope="module")
def events(spotless: Simulation) -> pa.Table:
    return _table(spotless)


@pytest.fixture(scope="module")
def truth(spotless: Simulation) -> pa.Table:
    return read_truth(spotless.folder)


def _table(simulation: Simulation) -> pa.Table:
    files = sorted((simulation.folder / "events").iterdir())
    return pa.concat_tables([pq.read_table(file) for file in files])


def _runs(rows: list[dict[str, Any]]) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Yields the visible events of each instance of the visitors, and its label."""
    by_visitor = defaultdict(list)
    for row in rows:
        by_visitor[row["anonymous_id"]].append(row)
    for own in by_visitor.values():
        run: list[dict[str, Any]] = []
        for row in sorted(own, key=lambda row: row["timestamp_us"]):
            if row["event"] == "Order Completed":
                yield run, 1
                run = []
            else:
                run.append(row)
        if run:
            yield run, 0


def test_parquet_is_in_the_canonical_schema(spotless: Simulation, events: pa.Table) -> None:
    assert events.schema.names == EVENT_SCHEMA.names
    assert events.schema.types == EVENT_SCHEMA.types
    for field in EVENT_SCHEMA:
        assert field.nullable or not events.column(field.name).null_count
    adapted = get_adapter("canonical").adapt(events, "events")
    assert (adapted.events.num_rows, adapted.rejected.num_rows) == (spotless.counts["events"], 0)


def test_truth_is_what_the_law_gives_for_the_written_events(events: pa.Table, truth: pa.Table) -> None:
    assert truth.schema == TRUTH_SCHEMA
    rows = truth.to_pylist()
    expected = {(row["anonymous_id"], row["time_us"]): (row["probability"], row["label"]) for row in rows}
    visitors = set(truth.column("anonymous_id").unique().to_pylist()[::20])
    checked = 0
    for run, label in _runs([row for row in events.to_pylist() if row["anonymous_id"] in visitors]):
        given, outcome = expected[run[-1]["anonymous_id"], run[-1]["timestamp_us"]]
        assert outcome == label
        assert given == pytest.approx(probability(run), rel=1e-9)
        assert len(run) <= 40
        checked += 1
    assert checked == sum(row["anonymous_id"] in visitors for row in rows)


def test_truth_has_a_row_for_each_instance_of_the_purchase_generator(
    spotless: Simulation, events: pa.Table, truth: pa.Table
) -> None:
    generator = load_generator("purchase", {})
    named = events.append_column("visitor", events.column("anonymous_id"))
    sessions, dropped = build_sessions(named, SessionRules(), Window(*spotless.window))
    assert not any(dropped.values())
    slices = generator.slices_of(sessions)
    visible = ~sessions.mask(event="Order Completed")
    last = sessions.offsets[slices.session] + slices.end - 1
    assert visible[last].all()
    found = pa.table(
        {
            "anonymous_id": sessions.events.column("visitor").combine_chunks().dictionary_decode().take(pa.array(last)),
            "time_us": sessions.time_us[last],
            "label": slices.label,
        }
    )
    keys = [("anonymous_id", "ascending"), ("time_us", "ascending")]
    expected = truth.select(["anonymous_id", "time_us", "label"]).sort_by(keys)
    assert found.cast(expected.schema).sort_by(keys).equals(expected)
    counts = spotless.counts
    assert (len(slices), int(slices.label.sum())) == (counts["instances"], counts["positives"])
    assert counts["orders"] == counts["positives"]


def test_purchases_are_as_frequent_as_their_probability_says(truth: pa.Table) -> None:
    given, label = truth.column("probability").to_numpy(), truth.column("label").to_numpy()
    deviation = np.sqrt((given * (1 - given)).sum())
    assert abs(label.sum() - given.sum()) < 3 * deviation
    bins = np.digitize(given, np.quantile(given, np.arange(0.05, 1, 0.05)))
    expected, found, variance = (np.bincount(bins, v, 20) for v in (given, label, given * (1 - given)))
    chi_square = ((found - expected) ** 2 / variance).sum()
    assert chi_square < 45.3  # the 99.9 % point with 20 degrees of freedom


def test_task_is_neither_trivial_nor_hopeless(spotless: Simulation, truth: pa.Table) -> None:
    given, label = truth.column("probability").to_numpy(), truth.column("label").to_numpy()
    assert spotless.truth_auc == pytest.approx(roc_auc_score(label, given), abs=1e-12)
    assert 0.9 < spotless.truth_auc < 0.93
    assert 0.085 < label.mean() < 0.11
    assert 10 < spotless.counts["events"] / spotless.counts["visitors"] < 12


def test_one_buyer_in_three_comes_back(truth: pa.Table) -> None:
    returned = len(truth) - len(truth.column("anonymous_id").unique())
    bought = int(truth.column("label").to_numpy().sum())
    assert returned / bought == pytest.approx(0.35, abs=3 * np.sqrt(0.35 * 0.65 / bought))


def test_segment_lines_hold_the_same_events_as_parquet(tmp_path: Path) -> None:
    lines = _simulated(tmp_path / "lines", visitors=300, trouble=CLEAN)
    table = _simulated(tmp_path / "table", visitors=300, trouble=CLEAN, format="parquet")
    assert (lines.adapter, table.adapter) == ("segment", "canonical")
    rows = pa.array(Path(lines.events.replace("*", "events-00000-of-00001")).read_bytes().splitlines(), pa.binary())
    adapted = get_adapter("segment").adapt(rows, "lines")
    assert adapted.rejected.num_rows == 0
    expected = _table(table)
    for name in EVENT_SCHEMA.names:
        if name != "context":  # lines carry the page and the agent in it as well
            assert adapted.events.column(name).to_pylist() == expected.column(name).to_pylist(), name
    assert read_truth(lines.folder).equals(read_truth(table.folder))


def test_a_line_is_a_valid_segment_message(tmp_path: Path) -> None:
    made = _simulated(tmp_path / "shop", visitors=200, trouble=CLEAN)
    text = Path(made.events.replace("*", "events-00000-of-00001")).read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert text.endswith("\n") and len(rows) == made.counts["rows"]
    assert len({row["messageId"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) - {"userId"} == {
            "messageId", "anonymousId", "timestamp", "receivedAt", "type", "context", "properties",
            "event" if row["type"] == "track" else "name",
        }  # fmt: skip
        assert set(row["context"]) == {"library", "userAgent", "page"}
    order = next(row for row in rows if row.get("event") == "Order Completed")
    assert set(order["properties"]) == {"order_id", "revenue", "currency"}
    assert order["properties"]["revenue"] > 0
    assert {row["properties"]["name"] for row in rows if row.get("event") == "Product Viewed"}


@pytest.mark.parametrize("name", ["jsonl", "parquet"])
def test_planted_trouble_is_found_by_those_who_look_for_it(tmp_path: Path, name: str) -> None:
    made = _simulated(tmp_path / "shop", visitors=3000, visitors_per_file=1250, format=name, trouble=HEAVY, seed=5)
    counts = made.counts
    adapter = get_adapter(made.adapter)
    batches, found = [], defaultdict(int)
    for file in sorted((made.folder / "events").iterdir()):
        rows = pq.read_table(file) if name == "parquet" else pa.array(file.read_bytes().splitlines(), pa.binary())
        adapted = adapter.adapt(rows, file.name)
        found["rows"] += len(rows)
        for reason in adapted.rejected.column("reason").to_pylist():
            found[f"malformed_{reason}"] += 1
        kept, dropped = clean(adapted.events, CleaningRules())
        for reason, number in dropped.items():
            found[reason] += number
        batches.append(kept)
    table = pa.Table.from_batches(batches)
    table = table.append_column("visitor", table.column("anonymous_id"))
    sessions, dropped = build_sessions(table, SessionRules(), Window(*made.window))

    assert {key: value for key, value in counts.items() if key.startswith("malformed_")} == {
        key: value for key, value in found.items() if key.startswith("malformed_")
    }
    assert min(value for key, value in counts.items() if key.startswith("malformed_")) > 50
    assert (found["rows"], found["bot"], found["test_event"]) == (
        counts["rows"], counts["bot_events"], counts["test_events"],
    )  # fmt: skip
    assert dropped == {
        "duplicate_row": counts["duplicate_rows"],
        "duplicate_message_id": counts["duplicate_message_ids"],
        "visitor_over_limit": counts["over_active_events"],
    }
    assert (counts["bots"], counts["over_active_visitors"], counts["test_visitors"]) == (30, 6, 30)
    assert counts["duplicate_rows"] == pytest.approx(0.02 * counts["events"], abs=2)
    assert counts["late_rows"] == pytest.approx(0.05 * counts["events"], abs=2)
    assert len(sessions) == 3000
    assert sessions.events.num_rows == counts["events"]
    slices = load_generator("purchase", {}).slices_of(sessions)
    assert (len(slices), int(slices.label.sum())) == (counts["instances"], counts["positives"])


def test_late_rows_arrive_after_younger_ones(tmp_path: Path) -> None:
    def out_of_order(trouble: Trouble, name: str) -> int:
        table = _table(_simulated(tmp_path / name, visitors=1000, format="parquet", trouble=trouble))
        delay_s = (table.column("received_at_us").to_numpy() - table.column("timestamp_us").to_numpy()) / 1e6
        assert (np.diff(table.column("received_at_us").to_numpy()) >= 0).all()
        assert delay_s.min() > 0
        return int((delay_s > 3600).sum())

    assert out_of_order(CLEAN, "none") == 0
    late = out_of_order(replace(CLEAN, late=0.1), "late")
    assert late == load_simulation(tmp_path / "late").counts["late_rows"] > 1000


def test_trouble_changes_neither_visitors_nor_truth(tmp_path: Path) -> None:
    plain = _simulated(tmp_path / "plain", visitors=500, trouble=CLEAN)
    heavy = _simulated(tmp_path / "heavy", visitors=500, trouble=HEAVY)
    columns = ["time_us", "probability", "label"]  # ids are drawn with the trouble
    assert read_truth(plain.folder).select(columns).equals(read_truth(heavy.folder).select(columns))


@pytest.mark.parametrize("name", ["jsonl.gz", "parquet"])
def test_same_seed_same_bytes(tmp_path: Path, name: str) -> None:
    options = SimulationOptions("", visitors=700, visitors_per_file=300, format=name, trouble=HEAVY, seed=11)
    for folder in ("first", "second"):
        simulate(replace(options, output=str(tmp_path / folder)))
    simulate(replace(options, output=str(tmp_path / "other"), seed=12))
    contents = [
        {str(file.relative_to(tmp_path / folder)): file.read_bytes() for file in (tmp_path / folder).rglob("*.*")}
        for folder in ("first", "second", "other")
    ]
    assert len(contents[0]) == 7
    assert contents[0] == contents[1]
    assert all(contents[0][file] != contents[2][file] for file in contents[0])


def test_a_file_does_not_depend_on_those_before_it(tmp_path: Path) -> None:
    options = SimulationOptions("", visitors=400, visitors_per_file=200, trouble=HEAVY)
    simulate(replace(options, output=str(tmp_path / "both")))
    simulate(replace(options, output=str(tmp_path / "one"), visitors=200))
    first = tmp_path / "both/events/events-00000-of-00002.jsonl"
    assert first.read_bytes() == (tmp_path / "one/events/events-00000-of-00001.jsonl").read_bytes()


def test_compressed_lines_are_the_plain_lines(tmp_path: Path) -> None:
    read = {
        "jsonl": lambda data: data,
        "jsonl.gz": gzip.decompress,
        "jsonl.zst": lambda data: zstandard.ZstdDecompressor().stream_reader(data).read(),
    }
    contents = set()
    for name, decompress in read.items():
        made = _simulated(tmp_path / name, visitors=100, format=name)
        contents.add(decompress(Path(made.events.replace("*", "events-00000-of-00001")).read_bytes()))
    assert len(contents) == 1


def test_people_look_like_people_and_bots_like_bots() -> None:
    people, bots = USER_AGENTS[: FIRST_AGENT[3]], USER_AGENTS[FIRST_AGENT[3] :]
    assert len(set(USER_AGENTS)) == len(USER_AGENTS) > 30
    assert not any(is_bot(agent) for agent in people)
    assert all(is_bot(agent) for agent in bots)
    expected = [DEVICES[device] for device in AGENT_DEVICES]
    assert [device_of(agent) for agent in people] == expected
    assert [parse_agent(agent).device for agent in people] == expected


def test_progress_counts_visitors(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    options = SimulationOptions(str(tmp_path / "shop"), visitors=250, visitors_per_file=100)
    simulate(options, lambda done, total: seen.append((done, total)))
    assert seen == [(100, 250), (200, 250), (250, 250)]


def test_an_interrupted_simulation_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(SimulationOptions(str(tmp_path / "shop"), visitors=100), interrupt)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    options = SimulationOptions(str(tmp_path / "shop"), visitors=50)
    simulate(options)
    with pytest.raises(StorageError, match=r"shop: it exists already; choose another path or remove it first"):
        simulate(options)
    assert simulate(replace(options, visitors=60, overwrite=True)).counts["visitors"] == 60
    (tmp_path / "letters.txt").write_text("years of them")
    with pytest.raises(StorageError, match=r"it holds no simulation.json, so it is something else"):
        simulate(replace(options, output=str(tmp_path), overwrite=True))
    assert (tmp_path / "letters.txt").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "csv"}, "format 'csv' is unknown; expected one of jsonl, jsonl.gz, jsonl.zst, parquet"),
        ({"visitors": 0}, "visitors is 0; expected 1 or more"),
        ({"visitors_per_file": 60_000}, "visitors_per_file is 60000; expected 1 to 50000"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
        ({"days": 0.0}, "days is 0.0; expected more than 0 and at most 3650"),
        ({"start": "1 August"}, "start is '1 August'; expected a day such as 2026-08-01"),
        ({"trouble": Trouble(bots=0.5)}, "trouble.bots is 0.5; expected a share from 0 to 0.25"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulationError) as refused:
        SimulationOptions("shop", **options)
    assert str(refused.value) == message


def test_a_folder_without_a_simulation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"holds no simulation \(simulation.json is missing or broken\)"):
        load_simulation(tmp_path)
