"""What golden sets of images have in common: a table of instances, the arrays that training computed, and a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import AuguryError


class GoldenError(AuguryError, ValueError):
    """A golden set that is missing or does not hold together."""


@dataclass(frozen=True)
class Replay:
    """What replaying a golden set found: of ``total`` instances the names of those that differ."""

    total: int
    differing: tuple[str, ...]

    @property
    def identical(self) -> int:
        """Instances of which the very same bits were computed."""
        return self.total - len(self.differing)


def write_set(
    folder: Path, file: str, columns: Mapping[str, Sequence[Any]], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Writes a golden set.

    Args:
        folder: of the artifact.
        file: path in it of the table.
        columns: name -> values (N,) of the table: bytes where it is ``encoded``, texts elsewhere.
        arrays: path in the folder -> what training computed, N at first.
    """
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    kinds = {name: pa.binary() if name == "encoded" else pa.string() for name in columns}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})
    pq.write_table(table, folder / file, compression="zstd")
    for name, values in arrays.items():
        np.save(folder / name, values, allow_pickle=False)


def read_set(
    folder: Path, file: str, columns: Sequence[str], arrays: Sequence[str]
) -> tuple[list[dict[str, Any]], list[npt.NDArray[Any]]]:
    """Returns the rows (N,) of the table and the arrays of a golden set.

    Raises:
        GoldenError: it is missing, damaged or empty.
    """
    try:
        instances = pq.read_table(folder / file)
        if instances.column_names != list(columns) or not instances.num_rows:
            raise ValueError(f"{file} has not the columns {', '.join(columns)}, or no rows")
        return instances.to_pylist(), [np.load(folder / name, allow_pickle=False) for name in arrays]
    except (OSError, ValueError, pa.ArrowInvalid, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise GoldenError(
            f"{folder} holds no readable golden set ({reason}); open the version again, or train again"
        ) from e


def expect(folder: Path, name: str, kept: npt.NDArray[Any], size: tuple[int, ...], kind: type[np.generic]) -> None:
    """Refuses an array of another shape or dtype.

    Raises:
        GoldenError: naming both.
    """
    if kept.shape != size or kept.dtype != kind:
        raise GoldenError(
            f"{folder}/{name} holds {kept.dtype} {kept.shape}; expected {np.dtype(kind)} {size}: train again"
        )
