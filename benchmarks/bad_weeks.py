"""Weeks of a simulated shop in which something went wrong, given to ``augury retrain``: ``make bench-bad-weeks``.

One shop is simulated over five weeks and its log kept by day. Into three of the weeks trouble is planted: a collector
that lost the page and the browser of every event, a checkout whose orders are no longer told, and a campaign that
brings other people from another place. Each week ``augury retrain`` is run as cron would run it; the first week makes
the champion, the three bad ones must be stopped with the reason that was planted, and the last, good one be promoted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from augury.simulator import SimulationOptions, simulate
from benchmarks.figures import Figure, write_results
from models.registry import Registry

START = date(2026, 7, 27)
_WEEK = timedelta(days=7)
_TELLING = "Order Completed"
_LOST_IN = 10
"""Of so many orders one is still told."""

_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)

Row = dict[str, Any]
Plant = Callable[[Row], Row | None]

APP = """family = "behavior"

[window]
days = 7
late_days = 0

[data]
events = "events/date={date}"

[examples]
generator = "purchase"
gap_minutes = 30
sequence_length = 16
hash_size = 256
test = 0.2

[train]
units = 32
embedding_units = 16
max_epochs = 8
learning_rate = 0.01

[gates]
margins = { auc = 0.02, log_loss = 0.01 }
"""
"""A shop of this size has some hundred orders in a week's test examples: margins are as wide as chance makes them."""


def without_context(row: Row) -> Row:
    """What a collector sends that lost the page and the browser."""
    if not isinstance(row.get("context"), dict):
        return row
    context = {name: value for name, value in row["context"].items() if name not in ("page", "userAgent")}
    return {**row, "context": context}


def without_orders(row: Row) -> Row | None:
    """What is left of a checkout that hardly tells of its orders any more."""
    if row.get("event") != _TELLING:
        return row
    return row if crc32(str(row.get("messageId")).encode()) % _LOST_IN == 0 else None


def from_a_campaign(row: Row) -> Row:
    """What two in three visitors are like when a campaign brings them: phones, one source, other pages."""
    if crc32(str(row.get("anonymousId")).encode()) % 3 == 0 or not isinstance(row.get("context"), dict):
        return row
    context = dict(row["context"])
    page = context.get("page")
    if isinstance(page, dict) and isinstance(page.get("url"), str):
        url = page["url"].partition("?")[0].replace("/item/", "/drop/")
        context["page"] = {
            **page,
            "url": f"{url}?utm_source=clips&utm_medium=social",
            "referrer": "https://clips.example/",
        }
    return {**row, "context": {**context, "userAgent": _PHONE}}


WEEKS: tuple[tuple[str, Plant | None, str], ...] = (
    ("first week", None, "promoted"),
    ("schema break", without_context, "schema"),
    ("label collapse", without_orders, "label_rate"),
    ("drifted shop", from_a_campaign, "drift"),
    ("good week", None, "promoted"),
)
"""What each week is, what is planted, and what must come of it: the outcome, or the kind of the reason to stop."""


def write_shop(folder: Path, visitors: int, seed: int) -> None:
    """Simulates the shop and writes its log by day, with the trouble of each week."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        options = SimulationOptions(f"{made}/shop", visitors=visitors, seed=seed, start=str(START), days=35.0)
        shop = simulate(options)
        with ExitStack() as stack:
            files: dict[str, Any] = {}
            for line in _lines(Path(shop.folder) / "events"):
                day, row = _day(line)
                week = (date.fromisoformat(day) - START) // _WEEK
                if not 0 <= week < len(WEEKS):
                    continue
                plant = WEEKS[week][1]
                if row is not None and plant is not None:
                    planted = plant(row)
                    if planted is None:
                        continue
                    line = orjson.dumps(planted)
                if day not in files:
                    path = folder / "events" / f"date={day}" / "part.jsonl"
                    path.parent.mkdir(parents=True)
                    files[day] = stack.enter_context(path.open("wb"))
                files[day].write(line + b"\n")


def _lines(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)


def _day(line: bytes) -> tuple[str, Row | None]:
    """Returns the day that a row was received, and the row; one that cannot be read is of the first day."""
    try:
        row = orjson.loads(line)
        day = str(row["receivedAt"])[:10]
        date.fromisoformat(day)
        return day, row
    except (ValueError, KeyError, TypeError):
        return str(START), None


def run_week(folder: Path, number: int) -> dict[str, Any]:
    """Retrains on a week, in a process of its own; returns its summary and exit code."""
    end = START + (number + 1) * _WEEK
    words = ["retrain", "behavior", "--app", "purchase", "--end", str(end)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-m", "augury.cli", *words], cwd=folder, env=environment, check=False)
    (summary,) = (folder / "runs").glob(f"behavior/purchase/{end}-*/summary.json")
    return {**json.loads(summary.read_bytes()), "exit_code": done.returncode}


def judge(name: str, expected: str, summary: Mapping[str, Any]) -> bool:
    """Prints how a week ended and says whether it ended as it must."""
    found = summary["reason"].partition(":")[0] if summary["outcome"] == "stopped" else summary["outcome"]
    good = found == expected and summary["exit_code"] == (0 if expected == "promoted" else 1)
    print(f"{name}: {summary['outcome']} {summary['reason']} [{'as planted' if good else f'expected {expected}'}]")
    return bool(good)


def main() -> None:
    """Runs the weeks and writes ``benchmarks/results/bad-weeks.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    good: Counter[str] = Counter()
    told = []
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as name:
        folder = Path(name)
        write_shop(folder, given.visitors, given.seed)
        (folder / "apps").mkdir()
        (folder / "apps" / "purchase.toml").write_text(APP)
        for number, (week, _, expected) in enumerate(WEEKS):
            summary = run_week(folder, number)
            good["good" if expected == "promoted" else "bad"] += judge(week, expected, summary)
            told.append(f"{week}: {summary['reason'] or summary['outcome']}")
        registry = Registry(str(folder / "registry"))
        versions = len(registry.versions("behavior", "purchase"))
        changes = [line["action"] for line in registry.history("behavior", "purchase")]
    clean = versions == 2 and changes == ["publish", "promote", "publish", "promote"]
    what = f"{given.visitors} simulated visitors in 5 weeks; " + "; ".join(told)
    write_results(
        "bad-weeks",
        [
            Figure(
                "bad_weeks_stopped",
                f"bad weeks of 3 stopped with the reason that was planted, and nothing published: {what}",
                good["bad"] if clean else 0,
                "weeks",
                "== 3",
            ),
            Figure("good_weeks_promoted", "good weeks of 2 promoted", good["good"], "weeks", "== 2"),
        ],
    )


if __name__ == "__main__":
    main()
