"""What an attention-examples job works on: images, gaze files, and what is known of each; plain and picklable."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

PIECE_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int32()),
        pa.field("method", pa.int8()),
        pa.field("subject", pa.int64()),
        pa.field("order", pa.int32()),
        pa.field("x", pa.float32()),
        pa.field("y", pa.float32()),
        pa.field("time_ms", pa.float64()),
    ]
)
"""Points on their way to the shard of their image: the image and the method by number."""

IMAGE_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("encoded", pa.binary()),
        pa.field("mask", pa.binary()),
        pa.field("mask_max", pa.float32()),
    ]
)
"""Images of a spool file: letterboxed, encoded; ``mask`` is as ``features.gaze_density.encode_map`` writes it."""


@dataclass(frozen=True)
class ImageTask:
    """One image of the data set; its number is its place in the job's list.

    Attributes:
        set_name: the set it belongs to.
        image: its id within the set, its path below the folder of images.
        path: where it is.
        mask: where its ready-made map is; None for none.
        split: its official split; None where the set has none.
        kind: of content; "" where nobody said.
    """

    set_name: str
    image: str
    path: str
    mask: str | None = None
    split: str | None = None
    kind: str = ""


@dataclass(frozen=True)
class GazeTask:
    """Some files of one source of gaze.

    Attributes:
        set_name: the set.
        paths: the files.
        adapter: "table", or one of ``features.gaze_matlab.READERS``.
        method: one of ``features.gaze.POINT_METHODS``.
        columns: of a table, ours -> theirs.
        one_based: of a table, whether pixels count from 1.
        sample_ms: of a table, milliseconds between samples.
    """

    set_name: str
    paths: tuple[str, ...]
    adapter: str
    method: str
    columns: Mapping[str, str] = field(default_factory=dict)
    one_based: bool = False
    sample_ms: float | None = None


def shard_of(number: int, shards: int) -> int:
    """Returns the shard of an image."""
    return number % shards


def image_numbers(images: tuple[ImageTask, ...], set_name: str) -> dict[str, int]:
    """Returns the number of each image of a set by its id, and by its id without suffix where that is one image's."""
    found = {task.image: number for number, task in enumerate(images) if task.set_name == set_name}
    stems: dict[str, list[int]] = {}
    for image, number in found.items():
        stems.setdefault(stem_of(image), []).append(number)
    return {**{stem: numbers[0] for stem, numbers in stems.items() if len(numbers) == 1}, **found}


def stem_of(image: str) -> str:
    """Returns an id without the suffix of its last part."""
    folder, slash, name = image.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)
