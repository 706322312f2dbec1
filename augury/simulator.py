"""A simulated shop of any size, written to disk like anybody's event log, with the true probability of every instance.

The world is in ``simulator_world``, the law in ``simulator_hazards``, the visitors in ``simulator_visitors``, what else
a log holds in ``simulator_trouble``, and the text in ``simulator_rows`` and ``simulator_json``.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from augury.simulator_json import format_lines
from augury.simulator_rows import ShopText, canonical_table, fixed_width, format_ids
from augury.simulator_trouble import MALFORMED, Trouble, add_trouble
from augury.simulator_visitors import RETURN_PROBABILITY, Walk, walk
from augury.simulator_world import build_shop
from features.errors import AuguryError
from features.storage import (
    StoragePath,
    check_replaceable,
    is_local,
    list_files,
    read_bytes,
    read_text,
    write_folder_atomic,
)

FORMATS: Final = ("jsonl", "jsonl.gz", "jsonl.zst", "parquet")
MAX_VISITORS_PER_FILE: Final = 50_000
TRUTH_SCHEMA = pa.schema(
    [
        pa.field("anonymous_id", pa.string(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
    ]
)
"""One row for each instance of the ``purchase`` generator: whose, the time of its last visible event (int64
microseconds UTC), the true probability of a purchase, and what happened."""

_PARQUET_MALFORMED = ("no_visitor_id", "absurd_time", "too_large", "unknown_type", "wrong_type")
_SUMMARY = "simulation.json"


class SimulationError(AuguryError, ValueError):
    """A simulation that cannot be: an impossible option, or a folder that holds none."""


@dataclass(frozen=True)
class SimulationOptions:
    """What to simulate.

    Attributes:
        output: folder to write: ``events/``, ``truth/`` and ``simulation.json``. It must not exist or be empty, unless
            ``overwrite``.
        visitors: people who come to the shop; each leaves about 11 events.
        seed: the same options and seed give the same bytes.
        format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst`` (Segment events) or ``parquet`` (canonical events).
        start: day of the first visits, ``YYYY-MM-DD`` (UTC).
        days: first visits fall within so many days; people come back for some weeks after.
        visitors_per_file: at most 50,000; a file is made in memory (about 7 KB a visitor as JSONL).
        trouble: bots, copies, late and malformed rows, tests.
        overwrite: replace an earlier simulation in ``output``.
    """

    output: str
    visitors: int = 20_000
    seed: int = 0
    format: str = "jsonl"
    start: str = "2026-08-01"
    days: float = 28.0
    visitors_per_file: int = 10_000
    trouble: Trouble = field(default_factory=Trouble)
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SimulationError(f"format {self.format!r} is unknown; expected one of {', '.join(FORMATS)}")
        if self.visitors < 1:
            raise SimulationError(f"visitors is {self.visitors}; expected 1 or more")
        if not 1 <= self.visitors_per_file <= MAX_VISITORS_PER_FILE:
            raise SimulationError(
                f"visitors_per_file is {self.visitors_per_file}; expected 1 to {MAX_VISITORS_PER_FILE}"
            )
        if self.seed < 0:
            raise SimulationError(f"seed is {self.seed}; expected 0 or more")
        if not 0 < self.days <= 3650:
            raise SimulationError(f"days is {self.days}; expected more than 0 and at most 3650")
        for item in fields(self.trouble):
            share = getattr(self.trouble, item.name)
            if not 0 <= share <= 0.25:
                raise SimulationError(f"trouble.{item.name} is {share}; expected a share from 0 to 0.25")
        _start_ms(self.start)


@dataclass(frozen=True)
class Simulation:
    """A finished simulation on disk.

    Attributes:
        folder: where it is.
        events: glob pattern of the event files.
        adapter: the adapter that reads them, ``segment`` or ``canonical``.
        truth: folder of the truth (Parquet files in ``TRUTH_SCHEMA``).
        counts: what it holds, by name: rows, events, visitors, orders, instances, positives and every kind of trouble.
        window: first and last time of a real event, int64 microseconds UTC (the last exclusive).
        truth_auc: area under the ROC curve of the true probabilities over all instances: no model can do better, but
            for luck. None where all or none bought.
    """

    folder: StoragePath
    events: str
    adapter: str
    truth: str
    counts: Mapping[str, int]
    window: tuple[int, int]
    truth_auc: float | None


def simulate(options: SimulationOptions, progress: Callable[[int, int], None] | None = None) -> Simulation:
    """Simulates the shop and writes it to ``options.output``, file by file, in bounded memory.

    The folder appears whole when everything is written; an error or Ctrl-C leaves nothing under its name.

    Args:
        options: what to simulate.
        progress: called with the visitors done and their number after every file.

    Raises:
        StorageError: ``output`` exists, is no simulation that ``overwrite`` could replace, or cannot be written.
    """
    files = -(-options.visitors // options.visitors_per_file)
    text = ShopText(build_shop())
    counts: Counter[str] = Counter()
    probabilities: list[npt.NDArray[np.float64]] = []
    outcomes: list[npt.NDArray[np.bool_]] = []
    times: list[tuple[int, int]] = []
    if options.overwrite:
        check_replaceable(options.output, _SUMMARY)
    with write_folder_atomic(options.output, options.overwrite) as folder:
        (folder / "events").mkdir()
        (folder / "truth").mkdir()
        for i in range(files):
            first = i * options.visitors_per_file
            visitors = min(options.visitors_per_file, options.visitors - first)
            made, added = _write_file(folder, options, text, f"{i:05d}-of-{files:05d}", i, first, visitors)
            counts.update(added)
            probabilities.append(made.truth)
            outcomes.append(made.bought)
            times.append((int(made.steps.time_ms.min()), int(made.steps.time_ms.max())))
            if progress is not None:
                progress(first + visitors, options.visitors)
        truth, bought = np.concatenate(probabilities), np.concatenate(outcomes)
        summary = {
            "options": {key: value for key, value in asdict(options).items() if key not in ("output", "overwrite")},
            "counts": {**counts, "instances": len(truth), "positives": int(bought.sum())},
            "window": {
                "start_us": min(begin for begin, _ in times) * 1000,
                "end_us": max(end for _, end in times) * 1000 + 1,
            },
            "truth": {"auc": _auc(truth, bought), "mean_probability": float(truth.mean())},
            "return_probability": RETURN_PROBABILITY,
        }
        (folder / _SUMMARY).write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return load_simulation(options.output)


def load_simulation(folder: StoragePath) -> Simulation:
    """Describes the simulation in ``folder``.

    Raises:
        SimulationError: the folder holds none.
    """
    folder = Path(folder) if is_local(folder) else str(folder).rstrip("/")
    try:
        summary: dict[str, Any] = json.loads(read_text(f"{folder}/{_SUMMARY}"))
    except (OSError, ValueError) as e:
        raise SimulationError(f"{folder} holds no simulation ({_SUMMARY} is missing or broken); simulate one") from e
    suffix = summary["options"]["format"]
    return Simulation(
        folder=folder,
        events=f"{folder}/events/*.{suffix}",
        adapter="canonical" if suffix == "parquet" else "segment",
        truth=f"{folder}/truth",
        counts=summary["counts"],
        window=(summary["window"]["start_us"], summary["window"]["end_us"]),
        truth_auc=summary["truth"]["auc"],
    )


def read_truth(folder: StoragePath) -> pa.Table:
    """Returns the truth of the simulation in ``folder``, in ``TRUTH_SCHEMA``.

    Raises:
        SimulationError: the folder holds no simulation.
    """
    files = list_files(f"{load_simulation(folder).truth}/*.parquet")
    return pa.concat_tables([pq.read_table(pa.BufferReader(read_bytes(file))) for file in files])


def _write_file(
    folder: Path, options: SimulationOptions, text: ShopText, name: str, block: int, first: int, visitors: int
) -> tuple[Walk, Mapping[str, int]]:
    """Simulates one block of visitors and writes its events and truth."""
    # A generator for each use, so that the visitors do not depend on how much trouble there is, nor on the format.
    walking, adding = (np.random.default_rng([options.seed, block, use]) for use in range(2))
    made = walk(walking, text.shop, visitors, _start_ms(options.start), options.days)
    parquet = options.format == "parquet"
    malformed = _PARQUET_MALFORMED if parquet else MALFORMED
    rows, counts = add_trouble(adding, text.shop, made, first, options.trouble, malformed)
    path = folder / "events" / f"events-{name}.{options.format}"
    if parquet:
        _write_parquet(canonical_table(text, rows, first), path)
    else:
        _write_lines(format_lines(text, rows, first), path)
    order = np.lexsort((made.truth_time_ms, made.truth_visitor))
    identity = fixed_width(format_ids(rows.visitors)[made.truth_visitor[order]])
    truth = pa.table(
        [identity, made.truth_time_ms[order] * 1000, made.truth[order], made.bought[order].astype(np.int64)],
        schema=TRUTH_SCHEMA,
    )
    pq.write_table(truth, folder / "truth" / f"truth-{name}.parquet", compression="zstd")
    return made, counts


def _write_parquet(table: pa.Table, path: Path) -> None:
    texts = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    # Without the Arrow schema in the file, dictionary columns are read back as the strings they are.
    pq.write_table(table, path, compression="zstd", use_dictionary=texts, store_schema=False, row_group_size=1 << 17)


def _write_lines(lines: Iterable[memoryview | bytes], path: Path) -> None:
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as file:
                for piece in lines:
                    file.write(piece)
        elif path.suffix == ".zst":
            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as file:
                for piece in lines:
                    file.write(piece)
        else:
            for piece in lines:
                raw.write(piece)


def _start_ms(start: str) -> int:
    try:
        day = datetime.strptime(start, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as e:
        raise SimulationError(f"start is {start!r}; expected a day such as 2026-08-01") from e
    return round(day.timestamp() * 1000)


def _auc(probability: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float | None:
    """Returns the area under the ROC curve, ties counted half; None with one class only."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, which, sizes = np.unique(probability, return_inverse=True, return_counts=True)
    rank = (np.cumsum(sizes) - (sizes - 1) / 2)[which]
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
