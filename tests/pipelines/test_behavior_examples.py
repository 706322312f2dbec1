"""The examples pipeline on literal rows, end to end on the DirectRunner."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features.errors import AuguryError
from features.spec import FeatureSpec
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptionError, ExamplesOptions
from pipelines.launch import PipelineFailedError

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def row(visitor: str, minute: int, event: str, **more: Any) -> dict[str, Any]:
    """A Segment track call at 12:``minute`` on 2026-08-01."""
    return {
        "messageId": f"{visitor}-{minute}",
        "anonymousId": visitor,
        "type": "track",
        "event": event,
        "timestamp": f"2026-08-01T12:{minute:02d}:00.000Z",
        "context": {"userAgent": AGENT, "page": {"url": f"https://shop.example/{event.lower().replace(' ', '-')}"}},
        **more,
    }


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in rows))
    return str(path)


def examples(folder: Path, spec: FeatureSpec) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*/*.tfrecord*")):
        compression = "GZIP" if path.suffix == ".gz" else ""
        for record in tf.data.TFRecordDataset(str(path), compression_type=compression):
            parsed = tf.io.parse_single_example(record, spec.parsing_spec(tf))
            yield {"split": path.parent.name, **{name: value.numpy() for name, value in parsed.items()}}


BUYER = [row("buyer", 0, "Product Viewed"), row("buyer", 1, "Product Added"), row("buyer", 2, "Order Completed")]
LOOKER = [row("looker", 5, "Product Viewed"), row("looker", 6, "Product Viewed")]
TROUBLE = [
    "this is not JSON",
    row("bot", 1, "Product Viewed", context={"userAgent": BOT}),
    LOOKER[0],
    {"type": "track", "event": "Nobody", "timestamp": "2026-08-01T12:00:00Z", "messageId": "x"},
]


def options(tmp_path: Path, rows: list[Any], **more: Any) -> ExamplesOptions:
    source = write(tmp_path / "events.jsonl", rows)
    return ExamplesOptions(**{"events": (source,), "output": str(tmp_path / "data"), "max_bad_share": 0.5, **more})


@pytest.mark.parametrize("compress", [False, True])
def test_literal_rows_become_the_examples_expected(tmp_path: Path, compress: bool) -> None:
    card = make_examples(options(tmp_path, [*BUYER, *TROUBLE, *LOOKER], shards=3, compress=compress))
    assert card["events"] == {
        "read": 9,
        "rejected": {"no_visitor_id": 1, "not_json": 1},
        "dropped": {"bot": 1, "duplicate_row": 1},
    }
    assert (card["visitors"], card["sessions"]) == (2, 2)
    spec = FeatureSpec.from_json((tmp_path / "data/feature_spec.json").read_bytes())
    assert card["fingerprint"] == spec.fingerprint
    assert spec.hides == ("Order Completed",)
    found = {example["visitor"]: example for example in examples(tmp_path / "data", spec)}
    assert {visitor: (int(e["label"]), len(e["hash/lengths"])) for visitor, e in found.items()} == {
        b"buyer": (1, 2),  # the order itself is hidden
        b"looker": (0, 2),
    }
    assert found[b"buyer"]["example_id"] == b"buyer/1785585660000000/2"
    assert found[b"buyer"]["stats/clicks"] == 2
    assert sum(split["examples"] for split in card["splits"].values()) == 2
    letters = pq.read_table(tmp_path / "data-dead-letter").to_pylist()
    assert sorted((letter["reason"], letter["row"][:16]) for letter in letters) == [
        ("no_visitor_id", '{"type": "track"'),
        ("not_json", "this is not JSON"),
    ]


def test_the_number_of_shards_and_the_order_of_rows_change_no_example(tmp_path: Path) -> None:
    rows = [row(f"v{n % 11}", n % 60, "Order Completed" if n % 7 == 3 else "Product Viewed") for n in range(120)]
    spec, found = None, []
    for number, (shards, order) in enumerate([(1, rows), (4, rows[::-1])]):
        folder = tmp_path / str(number)
        folder.mkdir()
        make_examples(options(folder, order, shards=shards))
        spec = FeatureSpec.from_json((folder / "data/feature_spec.json").read_bytes())
        found.append(
            sorted(
                (e["split"], e["example_id"], int(e["label"]), e["hash/values"].tolist(), e["step/dwell"].tolist())
                for e in examples(folder / "data", spec)
            )
        )
    assert found[0] == found[1]
    assert len(found[0]) > 10


def test_linked_ids_become_one_visitor_only_when_asked(tmp_path: Path) -> None:
    rows = [
        row("phone", 0, "Product Viewed", userId="ann"),
        row("laptop", 1, "Product Viewed", userId="ann"),
        row("laptop", 2, "Product Viewed"),
    ]
    apart = make_examples(options(tmp_path, rows))
    joined = make_examples(options(tmp_path, rows, link_visitors=True, overwrite=True))
    assert (apart["visitors"], joined["visitors"]) == (2, 1)


def test_too_many_bad_rows_fail_and_leave_no_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(PipelineFailedError, match=r"2 of 6 rows \(33.3%\) were rejected .* at most 20.0% may be") as e:
        make_examples(options(tmp_path, [*TROUBLE, *LOOKER], max_bad_share=0.2))
    assert "\n" not in str(e.value)
    assert caplog.records == []  # the error is told once, by whoever catches it, and not by Beam with a traceback
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data-dead-letter", "events.jsonl"]


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([TROUBLE[1]], {}, "1 rows read, 0 events kept after cleaning (bot 1), but no example was made"),
        (
            LOOKER,
            {"window_start": "2001-01-01", "window_end": "2001-01-02"},
            "0 events kept after cleaning (outside_window 2), but no example was made; check the window, the adapter",
        ),
        (LOOKER, {"generator": "purchase_"}, "no example generator is called 'purchase_'"),
        (LOOKER, {"adapter": "segmnt"}, "no adapter 'segmnt'"),
        (LOOKER, {"events": ("nowhere/*.jsonl",)}, "nowhere"),
        (LOOKER, {"generator_params": "{"}, "generator_params is '{', which is not JSON"),
        (LOOKER, {"window_start": "soon", "window_end": "2026-09-01"}, "window_start is 'soon'; expected ISO 8601"),
    ],
)
def test_what_cannot_be_is_one_clear_line_and_nothing_is_left(
    tmp_path: Path, rows: list[Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(AuguryError, match=re.escape(message)) as caught:
        make_examples(options(tmp_path, rows, **more))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


def test_an_empty_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuguryError, match=r"events\.jsonl"):
        make_examples(options(tmp_path, []))


def test_of_a_source_without_a_row_no_adapter_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("message_id,anonymous_id,type,event,timestamp_us\n")
    asked = ExamplesOptions(events=(f"{tmp_path}/events.csv",), output=f"{tmp_path}/data", adapter="canonical")
    with pytest.raises(
        PipelineFailedError, match=r"events\.csv: no row was read; check what is in it, of a table the days"
    ):
        make_examples(asked)


def test_a_window_is_read_to_the_microsecond(tmp_path: Path) -> None:
    ends = {"window_start": "2026-08-01T00:00:00.6", "window_end": "2026-08-01T15:00:00.999999+02:00"}
    card = make_examples(options(tmp_path, LOOKER, **ends))
    assert card["window"] == {"start_us": 1_785_542_400_600_000, "end_us": 1_785_589_200_999_999}


def test_events_outside_the_window_are_dropped_and_counted(tmp_path: Path) -> None:
    every = make_examples(options(tmp_path, LOOKER))
    begins = every["window"]["start_us"]
    second = datetime.fromtimestamp(begins / 1e6 + 1e-3, UTC).isoformat()
    last = datetime.fromtimestamp(every["window"]["end_us"] / 1e6 + 1, UTC).isoformat()
    card = make_examples(options(tmp_path, LOOKER, overwrite=True, window_start=second, window_end=last))
    assert card["events"]["dropped"] == {"outside_window": 1}
    assert card["events"]["read"] == every["events"]["read"] > 1


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ExamplesOptionError, match="max_bad_share is 2; expected 0 to 1"):
        ExamplesOptions(events=("a",), output="o", max_bad_share=2)
    with pytest.raises(ExamplesOptionError, match="go together"):
        ExamplesOptions(events=("a",), output="o", window_start="2026-01-01")


def test_a_full_disk_is_one_clear_line_and_nothing_is_left(tmp_path: Path, tiny_disk: Path) -> None:
    rows = [row(f"v{n}", n % 60, "Product Viewed") for n in range(400)]
    asked = options(tmp_path, rows, output=str(tiny_disk / "data"))
    with pytest.raises(PipelineFailedError, match="the disk is full; free some space"):
        make_examples(asked)
    assert list(tiny_disk.iterdir()) == []


def test_a_job_can_live_on_cloud_storage(tmp_path: Path, new_bucket: Callable[[str], str]) -> None:
    import fsspec

    bucket = new_bucket("examples-pipeline")
    rows = [row(f"v{n}", minute, "Product Viewed") for n in range(30) for minute in (1, 2)]
    rows[3] = "broken"
    local = options(tmp_path, rows)
    with fsspec.open(f"{bucket}/in/events.jsonl.gz", "wb", compression="gzip") as file:
        file.write(Path(local.events[0]).read_bytes())
    remote = replace(local, events=(f"{bucket}/in/*.jsonl.gz",), output=f"{bucket}/out/data")
    assert make_examples(remote)["splits"] == make_examples(local)["splits"]
    files = fsspec.filesystem("gs")
    files.invalidate_cache()
    assert files.exists(f"{bucket}/out/data/dataset_card.json")
    assert len(files.glob(f"{bucket}/out/data-dead-letter/*.parquet")) == 1
    with pytest.raises(AuguryError, match="holds files already"):
        make_examples(remote)
    assert make_examples(replace(remote, overwrite=True))["visitors"] == 30
