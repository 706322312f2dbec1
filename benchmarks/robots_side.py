"""One way of ``benchmarks.robots``: a file of packed pieces in, what the examples are out."""

import hashlib
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from example_generators.purchase import Purchase
from features.coding import FeatureCoder
from features.sessions import SessionRules, Window
from features.spec import FeatureSpec
from transforms.crowded import Unpacked, unpack_within
from transforms.ipc import to_ipc
from transforms.shard_examples import shard_examples
from transforms.shards import unpack

_LENGTH = struct.Struct(">Q")


def write_piece(file: BinaryIO, piece: bytes) -> None:
    """Appends a packed piece after its length."""
    file.write(_LENGTH.pack(len(piece)) + piece)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(head)[0])


def main(path: Path, way: str, output: Path) -> None:
    """Makes the examples and writes their digest and the counts."""
    generator = Purchase()
    spec = FeatureSpec(hides=generator.hides, stats=generator.stats, generator="purchase", session_rules=SessionRules())
    limit = spec.session_rules.max_events
    found = Unpacked(unpack(_read(path)), {}) if way == "all" else unpack_within(_read(path), limit)
    window = Window(0, 31 * 86_400_000_000)
    made = shard_examples(found.events, coder=FeatureCoder(spec), generator=generator, window=window, golden=16)
    digests = {
        split: hashlib.sha256(to_ipc(columns, compress=False)).hexdigest() for split, columns in made.columns.items()
    }
    dropped = {reason: count + found.dropped.get(reason, 0) for reason, count in made.dropped.items()}
    told = [digests, made.labels, made.sessions, made.visitors, dropped, made.excluded]
    output.write_text(json.dumps(told, sort_keys=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
