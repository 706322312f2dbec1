"""The golden set: raw instances kept with the predictions that training computed, replayed bit for bit.

Training computes them from the TFRecords that the pipeline wrote; replaying goes the way of the service: raw events,
sessions, coder, predictor. Any difference between the two ways shows up as a changed bit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.coding import FeatureCoder
from features.events import EVENT_SCHEMA
from features.sessions import VISITOR, SessionRules, Window, build_sessions
from features.slices import Slices
from features.spec import FeatureSpec
from features.storage import list_files, open_filesystem, read_text
from models.behavior.predictor import Predictor
from models.golden import GoldenError

GOLDEN_INSTANCES = 1000
INSTANCES_FILE = "golden/instances.parquet"
PREDICTIONS_FILE = "golden/predictions.npy"


@dataclass(frozen=True)
class GoldenResult:
    """How many instances were replayed and how many gave the very same bits; ``differing`` names some that did not."""

    total: int
    identical: int
    differing: tuple[str, ...] = ()


def choose(examples: str, most: int = GOLDEN_INSTANCES) -> pa.Table:
    """Returns the lowest-ranked candidates of an examples folder: example_id, split, rank, label, events.

    Raises:
        GoldenError: the folder holds no candidates.
    """
    files = [name for name in list_files(f"{examples.rstrip('/')}/golden") if name.endswith(".parquet")]
    tables = []
    for name in files:
        fs, path = open_filesystem(name)
        with fs.open(path, "rb") as file:
            try:
                tables.append(pq.read_table(file))
            except (OSError, ValueError) as e:
                raise GoldenError(f"cannot read {name} ({e}); write the examples again") from e
    candidates = pa.concat_tables(tables) if tables else None
    if candidates is None or not candidates.num_rows:
        raise GoldenError(f"{examples}/golden holds no golden-set candidates; write the examples again")
    order = pc.sort_indices(candidates, sort_keys=[("rank", "ascending"), ("example_id", "ascending")])
    return candidates.take(order[:most]).combine_chunks()


def write(folder: Path, instances: pa.Table, predictions: npt.NDArray[np.float32]) -> None:
    """Writes the golden set of an artifact.

    Args:
        folder: of the artifact.
        instances: N rows of ``choose``.
        predictions: float32 (N, C), by the exported model.
    """
    (folder / INSTANCES_FILE).parent.mkdir(exist_ok=True)
    pq.write_table(instances.select(["example_id", "label", "events"]), folder / INSTANCES_FILE, compression="zstd")
    np.save(folder / PREDICTIONS_FILE, predictions, allow_pickle=False)


def replay(folder: str | Path) -> GoldenResult:
    """Predicts the golden instances of a local artifact from their raw events and compares all bits.

    Raises:
        GoldenError: the golden set is missing or damaged.
        PredictorError: the model cannot be loaded.
    """
    instances, promised = read(folder)
    predictor = Predictor.load(folder)
    found = predict_raw(predictor, instances)
    return compare(instances, promised, found)


def read(folder: str | Path) -> tuple[pa.Table, npt.NDArray[np.float32]]:
    """Returns the golden set of a local artifact: N instances, and the predictions promised, float32 (N, C).

    Raises:
        GoldenError: it is missing or damaged.
    """
    try:
        instances = pq.read_table(Path(folder) / INSTANCES_FILE)
        if not {"example_id", "events"}.issubset(instances.column_names):
            raise ValueError(f"{INSTANCES_FILE} has no example_id or no events")
        promised = np.load(Path(folder) / PREDICTIONS_FILE, allow_pickle=False)
    except (OSError, ValueError) as e:
        raise GoldenError(f"{folder} holds no readable golden set ({e}); open the version again, or train again") from e
    classes = FeatureSpec.from_json(read_text(f"{folder}/feature_spec.json")).classes
    if promised.shape != (instances.num_rows, classes) or promised.dtype != np.float32:
        raise GoldenError(
            f"{folder}/{PREDICTIONS_FILE} holds {promised.dtype} {promised.shape}; expected float32 "
            f"{(instances.num_rows, classes)}"
        )
    return instances, promised


def compare(instances: pa.Table, promised: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> GoldenResult:
    """Compares the bits of predictions, float32 (N, C), with those promised."""
    same = (found.view(np.uint32) == promised.view(np.uint32)).all(axis=1)
    differing = instances.column("example_id").take(pa.array(np.flatnonzero(~same)[:5])).to_pylist()
    return GoldenResult(len(same), int(same.sum()), tuple(differing))


def raw_events(instances: pa.Table, names: pa.Array) -> pa.RecordBatch:
    """Returns the events of N instances in ``EVENT_SCHEMA``, each instance a visitor of its own.

    Two instances may be of one visitor and share events, so they must not meet under one name.

    Args:
        instances: N rows with ``events``, a list of structs in columns of ``EVENT_SCHEMA``.
        names: strings (N,), the anonymous ids to give them.
    """
    lists = instances.column("events").combine_chunks()
    events = pa.Table.from_struct_array(lists.flatten())
    given = {name: events.column(name).combine_chunks() for name in events.column_names}
    given["anonymous_id"] = names.take(pc.list_parent_indices(lists))
    columns = [given.get(field.name, pa.nulls(events.num_rows, field.type)) for field in EVENT_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


def predict_raw(predictor: Predictor, instances: pa.Table) -> npt.NDArray[np.float32]:
    """Returns predictions, float32 (N, C), of raw instances; NaN where the coder sees no event.

    Args:
        predictor: loaded.
        instances: N rows with ``events``, a list of structs in columns of ``EVENT_SCHEMA``.
    """
    lists = instances.column("events").combine_chunks()
    owner = pc.list_parent_indices(lists).to_numpy()
    events = pa.Table.from_struct_array(lists.flatten())
    # Every instance is a visitor of its own: two of them may be of one visitor and share events.
    names = pa.array(owner).cast(pa.string())
    events = events.append_column(VISITOR, pc.utf8_lpad(names, 12, "0"))
    window = Window(pc.min(events.column("timestamp_us")).as_py(), pc.max(events.column("timestamp_us")).as_py() + 1)
    sessions, _ = build_sessions(events, SessionRules(gap_seconds=None, max_events=None), window)
    count = len(sessions)
    whole = Slices(
        np.arange(count), np.zeros(count, np.int64), np.diff(sessions.offsets), np.zeros(count, np.int64), {}
    )
    coded = FeatureCoder(predictor.spec).encode(sessions, whole)
    found = np.full((instances.num_rows, predictor.classes), np.nan, np.float32)
    found[np.unique(owner)[coded.rows]] = predictor.predict(coded)
    return found
