"""``augury outcomes``, ``outcome-report`` and ``visitor`` on a small shop: report, alarm, rollback, one visitor."""

import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from augury import cli
from features.events import EVENT_SCHEMA
from models.gates import GateResult
from models.registry import Registry
from serving.compaction_streams import PREDICTION_SCHEMA
from tests.tiny_model import NAME, artifact

MONDAY_US = 1_767_571_200_000_000
MINUTE_US, WEEK_US = 60_000_000, 7 * 86_400_000_000
VISITORS = 300


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions of the tiny model; the second became champion before the first week."""
    clock = itertools.count(MONDAY_US - WEEK_US, 1_000_000)  # versions of one second are in the order of their hashes
    found = Registry(tmp_path / "registry", now_us=lambda: next(clock))
    other = tmp_path / "other"
    shutil.copytree(artifact(), other)
    card = json.loads((other / "model_card.json").read_text())
    (other / "model_card.json").write_text(json.dumps({**card, "seed": 1}))
    for folder in (other, artifact()):
        version = found.publish(str(folder), "behavior", NAME)
        found.promote("behavior", NAME, version, lambda *_: [GateResult("test", True, "")])
    return found


def shop(folder: Path, versions: list[str], *, lift: float) -> None:
    """Two weeks of visitors, each asked about once: half of those with a high probability buy where ``lift`` is 1."""
    random = np.random.default_rng(4)
    events, log = [], []
    for week in (0, 1):
        for number in range(VISITORS):
            visitor, start = f"v{week}-{number}", MONDAY_US + week * WEEK_US + number * MINUTE_US
            probability = float(random.choice([0.1, 0.5]))
            buys = random.random() < (probability if random.random() < lift else 0.3)
            names = ["Page Viewed", *(["Order Completed"] if buys else [])]
            for place, name in enumerate(names):
                events.append(
                    {
                        "message_id": f"{visitor}-{place}",
                        "anonymous_id": visitor,
                        "type": "page" if not place else "track",
                        "event": name,
                        "timestamp_us": start + 2 * place * MINUTE_US,
                    }
                )
            log.append(
                {
                    "prediction_id": f"p{week}-{number}",
                    "time_us": start + MINUTE_US,
                    "model": NAME,
                    "version": versions[-1],
                    "visitor": visitor,
                    "known": True,
                    "probability": probability,
                    "probabilities": [1 - probability, probability],
                    "asked_by": "visitor",
                }
            )
    for name, rows, schema in (("events", events, EVENT_SCHEMA), ("predictions", log, PREDICTION_SCHEMA)):
        (folder / name).mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / name / "part.parquet")


@pytest.fixture
def run(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def invoke(*argv: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli.app, argv, env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done

    return invoke


def outcomes(run: Callable[..., Result], *more: str, code: int = 0) -> Result:
    flags = (
        "--predictions",
        "predictions",
        "--model",
        NAME,
        "--output",
        "outcomes",
        "--events-end",
        "2026-01-18T12:00Z",
    )
    return run("outcomes", "events", *flags, "--settle-days", "0", "--overwrite", *more, code=code)


def test_a_healthy_model_is_reported_and_stays(run: Callable[..., Result], registry: Registry, tmp_path: Path) -> None:
    shop(tmp_path, registry.versions("behavior", NAME), lift=1.0)
    done = outcomes(run, "--rollback")
    assert sorted(path.name for path in (tmp_path / "outcomes").iterdir()) == [
        "outcomes-00000-of-00001.parquet",
        "outcomes.json",
        "outcomes_card.json",
        "report.html",
    ]
    judged = orjson.loads((tmp_path / "outcomes/outcomes.json").read_bytes())
    first, second = judged["weeks"]
    assert (first["week"], first["judged"], first["alarms"]) == ("2026-01-05", VISITORS, [])
    assert (second["settled"], second["expected"]["predictions"]) == (False, VISITORS)
    assert second["drift"]["from_test"] is not None and judged["test_auc"]
    assert f"no rollback: the champion {registry.versions('behavior', NAME)[-1]} kept its promise" in done.stdout
    assert "week_open" in done.stdout and "ALARM" not in done.stdout
    page = (tmp_path / "outcomes/report.html").read_text()
    assert "<script" not in page and not re.search(r'(src|href)="http', page)
    assert "nothing left the expected interval" in page and "2026-01-12" in page
    outcomes(run)


def test_a_model_that_fell_short_alarms_and_is_rolled_back_if_asked(
    run: Callable[..., Result], registry: Registry, tmp_path: Path
) -> None:
    before, champion = registry.versions("behavior", NAME)
    shop(tmp_path, [before, champion], lift=0.0)
    done = outcomes(run)
    assert f"ALARM {champion}. Week of 2026-01-05: AUC" in done.stdout
    held = registry.champion("behavior", NAME)
    assert held is not None and held.version == champion  # opt-in
    done = run("outcome-report", "outcomes", "--rollback")
    assert f"rolled back to {before}, in place of {champion}: outcomes: Week of 2026-01-05: AUC" in done.stdout
    assert "rollback" in run("history", f"behavior/{NAME}").stdout
    assert "no rollback: no full week of the champion" in run("outcome-report", "outcomes", "--rollback").stdout
    wide = run("outcome-report", "outcomes", "--auc-margin", "0.4", "--rate-margin", "5")
    assert "ALARM" not in wide.stdout


def test_a_visitor_s_predictions_beside_what_happened(
    run: Callable[..., Result], registry: Registry, tmp_path: Path
) -> None:
    shop(tmp_path, registry.versions("behavior", NAME), lift=1.0)
    outcomes(run)
    rows = pq.read_table(tmp_path / "outcomes/outcomes-00000-of-00001.parquet").to_pylist()
    bought = next(row for row in rows if row["label"] == 1)
    shown = run("visitor", bought["visitor"], "outcomes").stdout
    assert "it came true" in shown and f"{bought['probability']:.1%}" in shown
    assert "week open" in run("visitor", "v1-7").stdout
    [line] = run("visitor", "v0-7", "--json").stdout.splitlines()
    assert json.loads(line)["visitor"] == "v0-7" and json.loads(line)["events_before"] == 1
    assert "'nobody' is in no prediction of outcomes" in run("visitor", "nobody", code=1).stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("outcome-report", "nowhere"), "nowhere has no outcomes_card.json"),
        (("visitor", "a", "nowhere"), "nowhere has no outcomes_card.json"),
        (("outcome-report", "outcomes", "--level", "1"), "level is 1; expected 0.5 to 1"),
    ],
)
def test_what_cannot_be_is_one_line(argv: tuple[str, ...], message: str, run: Callable[..., Result]) -> None:
    done = run(*argv, code=1)
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_that_lacks_rows_is_said(run: Callable[..., Result], registry: Registry, tmp_path: Path) -> None:
    shop(tmp_path, registry.versions("behavior", NAME), lift=1.0)
    outcomes(run)
    (tmp_path / "outcomes/outcomes-00000-of-00001.parquet").unlink()
    assert "lacks outcomes-00000-of-00001.parquet" in run("outcome-report", "outcomes", code=1).stderr


def test_versions_that_are_gone_leave_the_report(
    run: Callable[..., Result], registry: Registry, tmp_path: Path
) -> None:
    """The report of a folder needs no registry: only what a version's evaluation said is missing then."""
    shop(tmp_path, registry.versions("behavior", NAME), lift=1.0)
    outcomes(run)
    shutil.rmtree(tmp_path / "registry")
    run("outcome-report", "outcomes")
    judged = orjson.loads((tmp_path / "outcomes/outcomes.json").read_bytes())
    assert judged["test_auc"] == {} and judged["weeks"][0]["drift"]["from_test"] is None
