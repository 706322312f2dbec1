"""Production, simulated: a shop that changes under a model that does not, and the log of what the model said.

Everything here is simulated (``augury.simulator``), the prediction log too: a trained model is asked about a random
share of all views, by the code that the service answers with, and its answers are written as the archive has them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from augury import simulator_hazards as law
from augury.simulator import SimulationOptions, simulate
from benchmarks.shop_messages import NO_TROUBLE
from features.ragged import places_of
from features.recent_rules import RecentRules
from features.sessions import VISITOR
from models.behavior.scoring import VersionScorer
from serving.compaction_streams import PREDICTION_SCHEMA

VIEWS = ("Page Viewed", "Product Viewed", "Cart Viewed", "Checkout Started")
HORIZON_SECONDS = 1800
SETTLE_DAYS = 1
PARAMS = {"points": "page_views", "view_events": list(VIEWS), "horizon_seconds": HORIZON_SECONDS}
"""Of the generator ``purchase_points``: will the visitor order within half an hour of this view?"""

LOG_SHARE = 0.08
"""Share of the views whose prediction is logged, as AUGURY_PREDICTION_LOG_SHARE has it."""

START = "2025-01-06"
"""A Monday."""

_RULES = RecentRules(count=1000, max_age_days=3650)


class Production(NamedTuple):
    """Where a simulated production is.

    Attributes:
        events: Parquet of canonical events.
        predictions: folder of the prediction log.
        asked: number of predictions.
    """

    events: str
    predictions: str
    asked: int


@contextmanager
def law_of(**changed: object) -> Iterator[None]:
    """Changes constants of the simulated shop's law for a while."""
    before = {name: getattr(law, name) for name in changed}
    try:
        for name, value in changed.items():
            setattr(law, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(law, name, value)


def produce(
    folder: Path,
    registry: str,
    version: str,
    *,
    weeks: int,
    visitors: int,
    seed: int,
    start: str = START,
) -> Production:
    """Simulates so many weeks of a shop, with so many new visitors each, and has a version predict.

    Args:
        folder: to write to.
        registry: that has the version of ``behavior/purchase``.
        version: that predicts.
        weeks: full weeks.
        visitors: who come for the first time in each week.
        seed: of shop and moments.
        start: day of the first visits.
    """
    options = SimulationOptions(
        str(folder / "shop"),
        visitors * weeks,
        seed=seed,
        format="parquet",
        start=start,
        days=7.0 * weeks,
        trouble=NO_TROUBLE,
    )
    simulate(options)
    table = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "shop" / "events").glob("*.parquet"))])
    table = table.sort_by([("anonymous_id", "ascending"), ("timestamp_us", "ascending"), ("message_id", "ascending")])
    pq.write_table(table, folder / "events.parquet", compression="zstd")
    rows, first = _moments(table, np.random.default_rng([seed, 7]))
    answers = _ask(table, rows, first, registry, version)
    (folder / "log").mkdir()
    pq.write_table(answers, folder / "log" / "predictions.parquet", compression="zstd")
    return Production(str(folder / "events.parquet"), str(folder / "log"), len(rows))


def _moments(table: pa.Table, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of a random share of all views, and the first row of the visitor of each.

    Which views are logged must not depend on what follows them, or on how many there are: one view a visitor would
    ask about those who come often less often than training did, and no model would be calibrated for that.
    """
    codes = table.column("anonymous_id").combine_chunks().dictionary_encode().indices.to_numpy()
    firsts = np.flatnonzero(np.diff(codes, prepend=-1))
    views = np.flatnonzero(pc.is_in(table.column("event"), pa.array(VIEWS)).to_numpy())
    rows = views[rng.random(len(views)) < LOG_SHARE]
    return rows, firsts[np.searchsorted(firsts, rows, side="right") - 1]


def _ask(table: pa.Table, rows: np.ndarray, first: np.ndarray, registry: str, version: str) -> pa.Table:
    """Returns what a version says at the moment just after each of the rows, as rows of the prediction log."""
    scorer = VersionScorer.load(registry, "purchase", version, _RULES)
    said = []
    for begin in range(0, len(rows), 5000):
        some, start = rows[begin : begin + 5000], first[begin : begin + 5000]
        lengths = some + 1 - start
        events = table.select(scorer.columns).take(pa.array(places_of(start, lengths)))
        names = pa.array(np.char.mod("%07d", np.repeat(np.arange(len(some)), lengths)))
        said.append(scorer.predict(events.append_column(VISITOR, names), np.zeros(len(some), np.bool_)))
    answers = pa.concat_tables(said)
    count = len(rows)
    columns = {
        "prediction_id": pa.array([f"p{index}" for index in range(count)]),
        "time_us": pa.array(table.column("timestamp_us").to_numpy()[rows] + 1),
        "model": pa.array(["purchase"] * count),
        "version": pa.array([version] * count),
        "visitor": table.column("anonymous_id").take(pa.array(rows)),
        "asked_by": pa.array(["visitor"] * count),
    }
    columns |= {name: answers.column(name) for name in PREDICTION_SCHEMA.names if name in answers.column_names[1:]}
    return pa.table(
        {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in PREDICTION_SCHEMA}
    ).cast(PREDICTION_SCHEMA)
