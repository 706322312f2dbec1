"""The table of a set's official split: ``image,split`` and, where it is known, ``kind``, the kind of content."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pa_csv

from features.errors import AuguryError
from features.splits import SPLITS
from features.storage import read_bytes

MOST_KINDS = 50
LONGEST_KIND = 64
_NAMES = {"val": "validation", "valid": "validation", **{split: split for split in SPLITS}}
_COLUMNS = ("image", "split", "kind")


class SplitTableError(AuguryError, ValueError):
    """A table of a split that is none, or contradicts itself."""


@dataclass(frozen=True)
class Official:
    """What the table says of an image: its split, and the kind of its content, "" where it says none."""

    split: str
    kind: str = ""


def read_split_table(path: str) -> Mapping[str, Official]:
    """Returns what a CSV table says of each image.

    Raises:
        SplitTableError: no such table, an unknown split, two splits or kinds of one image, or more than
            ``MOST_KINDS`` kinds.
        StorageError: it cannot be read.
    """
    try:
        options = pa_csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()), strings_can_be_null=False)
        table = pa_csv.read_csv(pa.BufferReader(read_bytes(path)), convert_options=options)
        names, splits = table.column("image").to_pylist(), table.column("split").to_pylist()
        kinds = table.column("kind").to_pylist() if "kind" in table.column_names else [""] * len(names)
    except (pa.ArrowInvalid, KeyError) as e:
        raise SplitTableError(f"{path} is no table of image,split ({' '.join(str(e).split())})") from e
    for split in sorted(set(splits) - _NAMES.keys()):
        raise SplitTableError(f"{path}: split {split!r} is unknown; expected one of {', '.join(SPLITS)}")
    check_kinds(path, set(kinds))
    found: dict[str, Official] = {}
    for name, split, kind in zip(names, splits, kinds, strict=True):
        one = Official(_NAMES[split], kind)
        other = found.setdefault(name, one)
        if other.split != one.split:
            raise SplitTableError(f"{path}: {name} is in two splits; leave one")
        if other != one:
            raise SplitTableError(f"{path}: {name} is of two kinds, {other.kind!r} and {kind!r}; leave one")
    return found


def check_kinds(where: str, kinds: set[str]) -> None:
    """Refuses kinds of content that no report could show.

    Raises:
        SplitTableError: more than ``MOST_KINDS``, or one longer than ``LONGEST_KIND`` characters.
    """
    if len(kinds) > MOST_KINDS:
        raise SplitTableError(f"{where}: {len(kinds)} kinds of content; expected at most {MOST_KINDS}: group them")
    for kind in sorted(kinds):
        if len(kind) > LONGEST_KIND:
            raise SplitTableError(f"{where}: kind {kind[:LONGEST_KIND]!r}... is longer than {LONGEST_KIND} characters")
