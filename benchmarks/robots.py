"""One robot with millions of events in a shard: ``make bench-robots``.

The same packed pieces are made into examples by two processes: one unpacks everything and drops who is over the limit
then, the other leaves the robot out while it unpacks. The pieces are read from a file, so that they take no memory.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, write_results
from benchmarks.processes import run_side
from benchmarks.robots_side import write_piece
from features.spec import FeatureSpec
from transforms.shards import encode_columns, pack

_ROWS_A_PIECE = 16_384
_DAY_US = 86_400_000_000


def main() -> None:
    """Makes a shard, has it turned into examples both ways, and writes ``benchmarks/results/robots.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--robot-events", type=int, default=5_000_000)
    parser.add_argument("--events", type=int, default=300_000, help="of everybody else")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        path = Path(folder) / "pieces"
        _write(path, given.robot_events, given.events)
        ways = ("all", "some")
        whole, part = (run_side("benchmarks.robots_side", [str(path), way, f"{folder}/{way}"]) for way in ways)
        one, other = (Path(folder, way).read_bytes() for way in ways)
    if one != other:
        raise RuntimeError("the two ways do not give the same examples and counts")
    figure = (
        f"peak memory of a process that makes examples of a shard of {given.events} events and a robot's "
        f"{given.robot_events}: {part.peak_gb:.2f} GB in {part.seconds:.0f} s where the robot is left out while "
        f"unpacking, over {whole.peak_gb:.2f} GB in {whole.seconds:.0f} s where everything is unpacked first; the same "
        "examples and counts"
    )
    write_results("robots", [Figure("robot_memory", figure, part.peak_gb / whole.peak_gb, "ratio")])


def _write(path: Path, robot: int, others: int) -> None:
    random = np.random.default_rng(0)
    columns = FeatureSpec().required_columns()
    total = robot + others
    share = others / total
    with path.open("wb") as file:
        for start in range(0, total, _ROWS_A_PIECE):
            size = min(_ROWS_A_PIECE, total - start)
            visitor = np.where(random.random(size) < share, random.integers(0, others // 10, size), -1)
            page = random.integers(0, 200_000, size)
            table = {
                "message_id": [f"{one:016x}-{two:016x}" for one, two in random.integers(0, 2**62, (size, 2)).tolist()],
                "anonymous_id": [f"v{each}" if each >= 0 else "robot" for each in visitor.tolist()],
                "type": ["page"] * size,
                "event": ["Page Viewed"] * size,
                "timestamp_us": random.integers(0, 30 * _DAY_US, size),
                "url": [f"https://www.shop.example/item/{each}?from=list" for each in page.tolist()],
                "referrer": pa.nulls(size, pa.string()),
                "user_agent": pa.nulls(size, pa.string()),
            }
            write_piece(file, pack(encode_columns(pa.RecordBatch.from_pydict(table), columns)))


if __name__ == "__main__":
    main()
