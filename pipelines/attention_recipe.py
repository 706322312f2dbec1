"""What an attention-examples job comes to: its options made concrete before any work begins."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from features.attention_spec import DEFAULT_MERGE, AttentionSpec
from features.storage import explained, list_files, open_filesystem
from pipelines.attention_options import IMAGES_PER_SHARD, MAX_SHARDS, AttentionExamplesOptions, AttentionOptionError
from pipelines.attention_sets import GazeSet, GazeSource, SetsFile, read_sets
from pipelines.split_table import read_split_table
from transforms.attention_work import GazeTask, ImageTask, stem_of
from transforms.image_sets import SplitShares

UNPACKED_SHARE = 0.25
"""How much of the time of a compressed table's byte one takes to read that is not compressed."""

FILES_PER_TASK = 64
"""Small files of gaze, such as one a person and image, that are read by one task."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
"""Names that are taken for images; whether they are is found out when they are read."""


@dataclass(frozen=True)
class AttentionRecipe:
    """An attention-examples job made concrete.

    Attributes:
        images: every image, sorted by set and id; an image's number is its place here.
        gaze: what to read of points, longest first.
        spec: how images and maps are stored.
        shares: how images without an official split are divided.
        forced_first: sets whose forced first fixations are dropped.
        shards: number of shards.
        plain: the sets as their file has them.
    """

    images: tuple[ImageTask, ...]
    gaze: tuple[GazeTask, ...]
    spec: AttentionSpec
    shares: SplitShares
    forced_first: frozenset[str]
    shards: int
    plain: tuple[dict[str, Any], ...]

    @property
    def worker_paths(self) -> Iterator[str]:
        """Every path that workers read."""
        for image in self.images:
            yield from filter(None, (image.path, image.mask))
        for gaze in self.gaze:
            yield from gaze.paths


def make_attention_recipe(options: AttentionExamplesOptions) -> AttentionRecipe:
    """Reads the sets file and lists what it names.

    Raises:
        AuguryError: one of its kinds for a missing file, an impossible spec, ...
    """
    file = read_sets(options.sets)
    spec = _spec_of(options, file)
    images = tuple(task for one in file.sets for task in _images_of(one))
    gaze = [task for one in file.sets for source in one.gaze for task in _tasks_of(one, source)]
    return AttentionRecipe(
        images=images,
        gaze=tuple(sorted(gaze, key=_length, reverse=True)),
        spec=spec,
        shares=SplitShares(
            options.validation, options.test, options.seed, options.near_bits if options.near_bits >= 0 else None
        ),
        forced_first=frozenset(one.name for one in file.sets if one.drop_first),
        shards=options.shards or _shards_for(len(images), options.processes),
        plain=file.plain,
    )


def _shards_for(images: int, processes: int) -> int:
    """Returns the number of shards: one, or a number that can be divided among the processes, which mostly are even."""
    needed = -(-images // IMAGES_PER_SHARD)
    even = math.lcm(2, processes)
    return 1 if needed == 1 == processes else min(MAX_SHARDS, -(-needed // even) * even)


def _length(task: GazeTask) -> float:
    """Returns about how long a task takes: as long as so many bytes of a compressed table; MATLAB files are short."""
    total = 0.0
    if task.adapter != "table":
        return total
    for path in task.paths:
        fs, target = open_filesystem(path)
        packed = path.lower().endswith((".gz", ".zst", ".zstd"))
        with explained(path, "read"):
            total += fs.size(target) * (1 if packed else UNPACKED_SHARE)
    return total


def _spec_of(options: AttentionExamplesOptions, file: SetsFile) -> AttentionSpec:
    return AttentionSpec(
        width=options.width,
        height=options.height,
        sigma_px=options.sigma_px,
        set_sigma_px={one.name: one.sigma_px for one in file.sets if one.sigma_px is not None},
        merge=DEFAULT_MERGE if file.merge is None else file.merge,
        resample_by=options.resample_by,
        resample_step=options.resample_step,
        sets=tuple(one.name for one in file.sets),
        image_format=options.image_format,
        jpeg_quality=options.jpeg_quality,
    )


def _images_of(one: GazeSet) -> list[ImageTask]:
    """Lists the images of a set with their masks and official splits."""
    found = _files(one.images, f"images of set {one.name!r}")
    masks = {} if one.masks is None else _files(one.masks, f"masks of set {one.name!r}")
    by_stem = {stem_of(image): path for image, path in masks.items()}
    official = {} if one.split is None else read_split_table(one.split)
    missing = [image for image in found if one.split is not None and image not in official]
    if missing:
        raise AttentionOptionError(
            f"{one.split} has no split for {len(missing)} of {len(found)} images of set {one.name!r}, such as "
            f"{missing[0]}; add them, or move them out of {one.images}"
        )
    tasks = []
    for image, path in sorted(found.items()):
        said = official.get(image)
        split, kind = (None, "") if said is None else (said.split, said.kind)
        tasks.append(ImageTask(one.name, image, path, by_stem.get(stem_of(image)), split, kind or one.kind))
    return tasks


def _files(folder: str, what: str) -> dict[str, str]:
    """Returns path below the folder -> path, of the names that are images."""
    fs, target = open_filesystem(folder)
    prefix = f"{str(fs.unstrip_protocol(target)).rstrip('/')}/" if "://" in folder else f"{target.rstrip('/')}/"
    paths = [path for path in list_files(folder) if path.lower().endswith(SUFFIXES)]
    if not paths:
        raise AttentionOptionError(f"{folder}: no {what} there; expected a folder of {', '.join(SUFFIXES)}")
    return {path.removeprefix(prefix): path for path in paths}


def _tasks_of(one: GazeSet, source: GazeSource) -> list[GazeTask]:
    paths = list_files(source.path)
    if source.adapter != "table":
        paths = [path for path in paths if os.path.splitext(path)[1].lower() == ".mat"]
    if not paths:
        raise AttentionOptionError(f"{source.path}: no gaze of set {one.name!r} there; check the path")
    pieces = [tuple(paths[start : start + FILES_PER_TASK]) for start in range(0, len(paths), FILES_PER_TASK)]
    return [
        GazeTask(
            one.name, piece, source.adapter, source.method, dict(source.columns), source.one_based, source.sample_ms
        )
        for piece in pieces
    ]
