"""Reads gaze and images side by side, so that every worker has its share of both, into pieces by shard of images."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import cv2
import numpy as np

from transforms.attention_work import GazeTask, ImageTask, Looks
from transforms.read_gaze import GazeReader
from transforms.read_images import ImageReader
from transforms.tally import TALLY, Tally

LOOKS = "looks"
"""Tag of the output that carries ``Looks``."""

POINTS, IMAGES = 0, 1
"""Kinds of pieces: points in ``PIECE_SCHEMA``, images in ``IMAGE_SCHEMA``."""

TASKS_AT_ONCE = 16


@dataclass(frozen=True)
class _Work:
    """What is read as one element: tasks with their numbers."""

    gaze: tuple[tuple[int, GazeTask], ...]
    images: tuple[tuple[int, ImageTask], ...]


class ReadAttention(beam.PTransform):
    """Pipeline -> ((shard, (kind, piece as IPC)); ``Looks`` under ``LOOKS``; ``Tally`` under ``TALLY``).

    Args:
        gaze: gaze files to read.
        images: all images of the job.
        costs: how long each of them all takes to read, gaze before images, in any one unit.
        hands: among how many workers the runner divides what it reads.
        gaze_reader: reads the one.
        image_reader: reads the other.
    """

    def __init__(
        self,
        gaze: Sequence[GazeTask],
        images: Sequence[ImageTask],
        costs: Sequence[float],
        hands: int,
        gaze_reader: GazeReader,
        image_reader: ImageReader,
    ) -> None:
        super().__init__()
        self._work = [_work(some, gaze, images) for some in deal(costs, hands)]
        self._reader = _Read(gaze_reader, image_reader)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        return (
            pipeline
            | "Plan" >> beam.Create(self._work)
            | "Read" >> beam.ParDo(self._reader).with_outputs(LOOKS, TALLY, main="pieces")
        )


class _Read(beam.DoFn):
    def __init__(self, gaze: GazeReader, images: ImageReader) -> None:
        self._gaze = gaze
        self._images = images

    def setup(self) -> None:
        cv2.setNumThreads(1)  # the runner decides how much is done at once

    def process(self, element: _Work) -> Iterator[Any]:
        for index, task in element.gaze:
            yield from _tagged(POINTS, self._gaze.read(index, task))
        if element.images:
            yield from _tagged(IMAGES, self._images.read(element.images))


def deal(costs: Sequence[float], hands: int, at_once: int = TASKS_AT_ONCE) -> list[list[int]]:
    """Divides tasks into elements such that those dealt to workers in turn, one each, take every worker equally long.

    Beam's local runner deals so, and nobody takes over what another has not begun. The longest tasks are given away
    first, each to whoever has least (R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl. Math.
    17, 1969). Other runners divide elements as they like.

    Args:
        costs: of each task.
        hands: number of workers.
        at_once: most tasks of an element.

    Returns:
        Task numbers by element, ascending; a multiple of ``hands`` of them, some perhaps empty.
    """
    held: list[list[int]] = [[] for _ in range(hands)]
    least = [(0.0, hand) for hand in range(hands)]
    for task in sorted(range(len(costs)), key=lambda task: -costs[task]):
        load, hand = least[0]
        held[hand].append(task)
        heapq.heapreplace(least, (load + costs[task], hand))
    rounds = max(1, -(-max(map(len, held)) // at_once))
    parts = [np.array_split(np.sort(np.array(tasks, np.int64)), rounds) for tasks in held]
    return [part[turn].tolist() for turn in range(rounds) for part in parts]


def _work(some: Sequence[int], gaze: Sequence[GazeTask], images: Sequence[ImageTask]) -> _Work:
    numbers = [task - len(gaze) for task in some if task >= len(gaze)]
    return _Work(
        tuple((task, gaze[task]) for task in some if task < len(gaze)),
        tuple((number, images[number]) for number in numbers),
    )


def _tagged(kind: int, found: Iterator[tuple[int, bytes] | Looks | Tally]) -> Iterator[Any]:
    for one in found:
        if isinstance(one, tuple):
            shard, piece = one
            yield shard, (kind, piece)
        else:
            yield beam.pvalue.TaggedOutput(LOOKS if isinstance(one, Looks) else TALLY, one)
