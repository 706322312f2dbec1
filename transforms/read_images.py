"""Reads images and their masks and spools what is stored of them; those that cannot be read go to the dead letter."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.attention_spec import AttentionSpec
from features.checks import dead_letters
from features.gaze_density import encode_map
from features.gaze_masks import MaskError, read_mask
from features.images import ImageLimits, decode_image
from features.images_encode import encode_image
from features.images_fit import letterbox
from features.images_hash import perceptual_hash
from features.images_headers import ImageError
from features.storage import atomic_write, read_bytes
from transforms.attention_work import IMAGE_SCHEMA, ImageTask, shard_of
from transforms.image_sets import ImageLayout, Looks
from transforms.ipc import to_ipc
from transforms.letters import write_letters
from transforms.tally import Tally, count


@dataclass(frozen=True)
class _Stored:
    number: int
    height: int
    width: int
    hash: int
    encoded: bytes
    mask: bytes | None
    mask_max: float | None


class ImageReader:
    """Reads images and spools what is stored of them.

    Args:
        spec: how they are stored.
        layout: where they wait for their points.
        dead_letter: folder for what cannot be read.
        limits: what is still decoded.
    """

    def __init__(self, spec: AttentionSpec, layout: ImageLayout, dead_letter: str, limits: ImageLimits) -> None:
        self._spec = spec
        self._layout = layout
        self._dead_letter = dead_letter
        self._limits = limits

    def read(self, tasks: Sequence[tuple[int, ImageTask]]) -> Iterator[tuple[int, str] | Looks | Tally]:
        """Yields the shard and the spool file, then what the images look like, then what was counted.

        Args:
            tasks: images of one shard with their numbers, at least one.
        """
        stored: list[_Stored] = []
        letters: list[pa.RecordBatch] = []
        counts: Counter[str] = Counter(images=len(tasks))
        for number, task in tasks:
            try:
                found = self._store(number, task, letters)
            except ImageError as e:
                letters.append(dead_letters([e.reason], [e.detail], task.path))
            else:
                counts["masks"] += task.mask is not None
                stored.append(found)
        first = tasks[0][0]
        if stored:
            path = self._layout.spool_path(first)
            spooled = to_ipc(_batch(stored), compress=False)  # of what is compressed already
            atomic_write(path, spooled, flush=False)
            yield shard_of(first, self._layout.shards), path
        numbers, hashes = [image.number for image in stored], [image.hash for image in stored]
        yield Looks(np.array(numbers, np.int32), np.array(hashes, np.uint64))
        rejected = write_letters(f"{self._dead_letter}/part-images-{first:07d}.parquet", letters)
        yield Tally({**count("read", counts), **count("rejected_images", rejected)})

    def _store(self, number: int, task: ImageTask, letters: list[pa.RecordBatch]) -> _Stored:
        """Decodes one image, and its mask if it has one; a bad mask is a dead letter and the image goes without."""
        pixels = decode_image(read_bytes(task.path), self._limits)
        shown, placement = letterbox(pixels, self._spec.width, self._spec.height)
        mask, most = None, None
        if task.mask is not None:
            try:
                mask, most = encode_map(read_mask(read_bytes(task.mask), placement, self._limits))
            except (ImageError, MaskError) as e:
                letters.append(dead_letters([e.reason], [str(e)], task.mask))
        return _Stored(
            number=number,
            height=pixels.shape[0],
            width=pixels.shape[1],
            hash=int(perceptual_hash(pixels)),
            encoded=encode_image(shown, self._spec.image_format, self._spec.jpeg_quality),
            mask=mask,
            mask_max=most,
        )


def _batch(images: list[_Stored]) -> pa.RecordBatch:
    columns = [pa.array([getattr(image, field.name) for image in images], field.type) for field in IMAGE_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=IMAGE_SCHEMA)
