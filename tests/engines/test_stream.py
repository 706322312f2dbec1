"""The streaming ingest, with state, timers and late data, archives the same on any engine that can stream."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.datasets_equal import rows_in
from tests.engines.engines import needs_prism, needs_workers, prism_flags, run_module, thorough
from tests.engines.stream_job import ROUNDS, VISITORS
from tests.transforms.streams import rows_below

MODULE = "tests.engines.stream_job"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    ended = run_module(MODULE, [str(folder / "direct")], folder)
    assert ended.returncode == 0, ended.stderr
    return folder / "direct"


def test_what_is_expected_is_what_was_sent(expected: Path) -> None:
    rows = rows_below(expected / "archive/events")
    first = [row for row in rows if row["partition"].endswith("hour=12")]
    assert Counter(row["message_id"] for row in first) == Counter(
        f"m{minute}-{n}" for minute in range(ROUNDS) for n in range(VISITORS)
    )
    assert {row["message_id"].split("-")[1] for row in first if row["late"]} == {"7", "27"}
    again = [row for row in rows if row["partition"].endswith("hour=14")]  # long after all was forgotten
    assert sorted(row["message_id"] for row in again) == [f"m0-{n}" for n in range(10)]
    letters = Counter(row["reason"] for row in rows_below(expected / "letters"))
    assert letters == {"not_json": ROUNDS, "no_visitor_id": ROUNDS}


@needs_prism
def test_prism(expected: Path, tmp_path: Path) -> None:
    ended = run_module(MODULE, [str(tmp_path / "prism"), *prism_flags()], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert rows_in(tmp_path / "prism") == rows_in(expected)


@needs_prism
@needs_workers
@thorough
def test_a_job_service_whose_workers_have_an_environment_of_their_own(
    expected: Path, service: tuple[str, ...], tmp_path: Path
) -> None:
    ended = run_module(MODULE, [str(tmp_path / "service"), *service], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert rows_in(tmp_path / "service") == rows_in(expected)
