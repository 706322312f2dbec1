"""The warehouse's tables are the Arrow schemas that their rows have, and what differs from them is named."""

import shutil
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from features.events import DEAD_LETTER_SCHEMA
from features.tables import DAY, NAMES, days_of, fields_of, load_table
from serving.compaction_streams import PREDICTION_SCHEMA
from serving.settings import Settings
from transforms.pack_events import ARCHIVE_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
_DAY_FIELD = pa.field(DAY, pa.date32(), nullable=False)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("events", ARCHIVE_SCHEMA.append(_DAY_FIELD)),
        ("predictions", PREDICTION_SCHEMA.append(_DAY_FIELD)),
        ("dead_letters", DEAD_LETTER_SCHEMA),
    ],
)
def test_a_table_has_the_columns_of_its_rows(name: str, schema: pa.Schema) -> None:
    table = load_table(name)
    assert table.name == name
    assert [{key: field[key] for key in ("name", "type", "mode")} for field in table.fields] == fields_of(schema)
    assert all(field["description"].endswith(".") for field in table.fields)
    assert set(table.clustering) < set(schema.names)
    assert table.differences(fields_of(schema)) == []


def test_how_the_tables_are_laid_out() -> None:
    tables = {name: load_table(name) for name in NAMES}
    assert {name: (table.partition_field, table.clustering) for name, table in tables.items()} == {
        "events": ("day", ("anonymous_id",)),
        "predictions": ("day", ("model", "visitor")),
        "dead_letters": (None, ("reason",)),
    }
    assert tables["events"].expiration_days is None
    assert tables["predictions"].expiration_days == Settings.model_fields["prediction_log_days"].default


def test_every_file_has_the_same_keys() -> None:
    keys = ["table", "description", "schema", "partitioning", "clustering", "expiration_days"]
    found = sorted((ROOT / "features" / "tables").iterdir())
    assert [path.stem for path in found] == sorted(NAMES)
    for path in found:
        content = orjson.loads(path.read_bytes())
        assert list(content) == keys
        assert content["partitioning"]["type"] == "DAY"


def test_what_differs_is_named() -> None:
    found = [
        {"name": "reason", "type": "INT64", "mode": "REQUIRED"},
        {"name": "row", "type": "string"},
        {"name": "more", "type": "STRING"},
        {"name": "needed", "type": "STRING", "mode": "REQUIRED"},
    ]
    assert load_table("dead_letters").differences(found) == [
        "column 'reason' is INTEGER REQUIRED, expected STRING REQUIRED",
        "column 'row' is STRING NULLABLE, expected STRING REQUIRED",
        "column 'source' is missing, expected STRING NULLABLE",
        "column 'needed' is REQUIRED, but nothing is written to it",
    ]


def test_the_day_of_a_time() -> None:
    day_us = 86_400_000_000
    times = pa.array([0, day_us - 1, day_us, -1, None], pa.int64())
    expected = [date(1970, 1, 1), date(1970, 1, 1), date(1970, 1, 2), date(1969, 12, 31), None]
    assert days_of(times).to_pylist() == expected


def test_the_wheel_holds_the_files(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.is_file():
        pytest.skip("building the wheel needs uv")
    source = tmp_path / "source"
    for name in ("features", "transforms", "example_generators", "pipelines", "models", "serving", "augury"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", tmp_path, source]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert {f"features/tables/{name}.json" for name in NAMES} <= held
