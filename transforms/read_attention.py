"""Reads gaze and images side by side: points into pieces by shard of images, images into spool files of one shard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import cv2
import numpy as np

from transforms.attention_work import GazeTask, ImageTask
from transforms.image_sets import Looks
from transforms.read_gaze import GazeReader
from transforms.read_images import ImageReader
from transforms.tally import TALLY, Tally
from transforms.worker_sizes import DECODES_IMAGES, sized

LOOKS = "looks"
"""Tag of the output that carries ``Looks``."""

IMAGES_AT_ONCE = 16


@dataclass(frozen=True)
class _Work:
    """What is read as one element: a task of gaze with its number, or images with theirs."""

    gaze: tuple[int, GazeTask] | None = None
    images: tuple[tuple[int, ImageTask], ...] = ()


class ReadAttention(beam.PTransform):
    """Pipeline -> ((shard, path of a spool file, or points as IPC); ``Looks``; ``Tally`` under their tags).

    Args:
        gaze: gaze files to read, longest first: so they begin first, and images fill the time that they leave.
        images: all images of the job.
        shards: number of shards.
        gaze_reader: reads the one.
        image_reader: reads the other.
    """

    def __init__(
        self,
        gaze: Sequence[GazeTask],
        images: Sequence[ImageTask],
        shards: int,
        gaze_reader: GazeReader,
        image_reader: ImageReader,
    ) -> None:
        super().__init__()
        together = read_together(len(images), shards)
        self._work = [_Work(gaze=numbered) for numbered in enumerate(gaze)]
        self._work += [_Work(images=tuple((number, images[number]) for number in some)) for some in together]
        self._reader = _Read(gaze_reader, image_reader)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        return (
            pipeline
            | "Plan" >> beam.Create(self._work)
            | "Read"
            >> sized(beam.ParDo(self._reader), pipeline, DECODES_IMAGES).with_outputs(LOOKS, TALLY, main="pieces")
        )


Found: TypeAlias = (
    tuple[int, str | bytes]
    | beam.pvalue.TaggedOutput[Literal["looks"], Looks]
    | beam.pvalue.TaggedOutput[Literal["tally"], Tally]
)
"""What reading gives; as the type of an output it makes Beam encode the shard as an integer, not by pickling it."""


class _Read(beam.DoFn):
    def __init__(self, gaze: GazeReader, images: ImageReader) -> None:
        self._gaze = gaze
        self._images = images

    def setup(self) -> None:
        cv2.setNumThreads(1)  # the runner decides how much is done at once

    def process(self, element: _Work) -> Iterator[Found]:
        if element.gaze is not None:
            yield from _tagged(self._gaze.read(*element.gaze))
        if element.images:
            yield from _tagged(self._images.read(element.images))


def read_together(images: int, shards: int, at_once: int = IMAGES_AT_ONCE) -> list[list[int]]:
    """Divides images into elements of about equal size, each of one shard as ``shard_of`` has it.

    Args:
        images: number of images.
        shards: number of shards.
        at_once: most images of an element.

    Returns:
        Image numbers by element, ascending.
    """
    elements = []
    for shard in range(min(shards, images)):
        numbers = np.arange(shard, images, shards)
        elements += [part.tolist() for part in np.array_split(numbers, -(-len(numbers) // at_once))]
    return elements


def _tagged(found: Iterator[tuple[int, bytes] | tuple[int, str] | Looks | Tally]) -> Iterator[Found]:
    for one in found:
        if isinstance(one, tuple):
            yield one
        else:
            yield beam.pvalue.TaggedOutput(LOOKS if isinstance(one, Looks) else TALLY, one)
