"""The sets file: what gaze there is on which images, as TOML. docs/gaze.md describes it."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.errors import AuguryError
from features.gaze import POINT_METHODS
from features.gaze_density import sigma_of_degrees
from features.gaze_matlab import READERS
from features.gaze_tables import COLUMNS
from features.storage import open_filesystem, read_text
from features.strict import FeatureSpecError, known_keys, number, one_of
from pipelines.split_table import SplitTableError, check_kinds

ADAPTERS = ("table", *READERS)


class SetsFileError(AuguryError, ValueError):
    """A sets file that says something impossible or unknown."""


@dataclass(frozen=True)
class GazeSource:
    """Gaze files of one form.

    Attributes:
        path: file, folder or glob; relative to the sets file.
        method: how it was recorded, one of ``POINT_METHODS``.
        adapter: "table" (CSV) or a MATLAB form.
        columns: of a table, names that differ: ours -> theirs.
        one_based: of a table, whether pixels count from 1.
        sample_ms: of a table of samples without times, milliseconds between two.
    """

    path: str
    method: str
    adapter: str = "table"
    columns: Mapping[str, str] = field(default_factory=dict)
    one_based: bool = False
    sample_ms: float | None = None

    def __post_init__(self) -> None:
        one_of("gaze.method", self.method, POINT_METHODS)
        one_of("gaze.adapter", self.adapter, ADAPTERS)
        if self.sample_ms is not None:
            object.__setattr__(self, "sample_ms", number("gaze.sample_ms", self.sample_ms, above=0))
        for name in self.columns:
            one_of("gaze.columns", name, COLUMNS)
        if self.adapter != "table" and (self.columns or self.one_based or self.sample_ms):
            raise FeatureSpecError(
                f"gaze.adapter: columns, one_based and sample_ms are for tables; leave them out for {self.adapter!r}"
            )


@dataclass(frozen=True)
class GazeSet:
    """One set: its images and what is known of each.

    Attributes:
        name: of the set.
        images: folder of the images; relative to the sets file.
        gaze: sources of points.
        masks: folder of ready-made maps named after the images; None for none.
        split: CSV table ``image,split[,kind]`` of the official split; None for none.
        kind: of content, of images that the table names no other of.
        drop_first: whether the eye's first fixation was forced and is dropped.
        sigma_px: sigma of its densities, pixels of its images; None for that of the job.
        sigma_degrees: sigma in degrees of visual angle, with ``pixels_per_degree``.
        pixels_per_degree: pixels of its images a degree.
    """

    name: str
    images: str
    gaze: tuple[GazeSource, ...] = ()
    masks: str | None = None
    split: str | None = None
    kind: str = ""
    drop_first: bool = False
    sigma_px: float | None = None
    sigma_degrees: float | None = None
    pixels_per_degree: float | None = None

    def __post_init__(self) -> None:
        if not self.gaze and self.masks is None:
            raise FeatureSpecError(f"set {self.name!r} has neither gaze nor masks; add [[set.gaze]] or masks")
        if (self.sigma_degrees is None) != (self.pixels_per_degree is None):
            raise FeatureSpecError(f"set {self.name!r}: sigma_degrees and pixels_per_degree go together; give both")
        if self.sigma_px is not None and self.sigma_degrees is not None:
            raise FeatureSpecError(f"set {self.name!r} has sigma_px and sigma_degrees; give one of them")
        if self.sigma_degrees is not None and self.pixels_per_degree is not None:
            object.__setattr__(self, "sigma_px", sigma_of_degrees(self.sigma_degrees, self.pixels_per_degree))


@dataclass(frozen=True)
class SetsFile:
    """A sets file.

    Attributes:
        sets: in the order of the file, which numbers them.
        merge: method -> weight; None for the default weights.
        plain: the sets as the file has them.
    """

    sets: tuple[GazeSet, ...]
    merge: Mapping[str, float] | None
    plain: tuple[dict[str, Any], ...]


def read_sets(path: str) -> SetsFile:
    """Reads a sets file; paths in it are relative to it.

    Raises:
        SetsFileError: not TOML, an unknown key or an impossible value.
        StorageError: it cannot be read.
    """
    try:
        given = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as e:
        raise SetsFileError(f"{path} is not TOML ({e}); docs/gaze.md shows a sets file") from e
    try:
        for key in given:
            one_of("key", key, ("set", "merge"))
        plain = given.get("set", [])
        if not isinstance(plain, list) or not plain:
            raise FeatureSpecError("there is no [[set]]; describe at least one")
        sets = tuple(_set_of(one, os.path.dirname(path)) for one in plain)
        for one in sets:
            if [other.name for other in sets].count(one.name) > 1:
                raise FeatureSpecError(f"set {one.name!r} is there twice; name each set once")
    except (FeatureSpecError, SplitTableError, TypeError) as e:
        raise SetsFileError(f"{path}: {e}") from e
    return SetsFile(sets, given.get("merge"), tuple(plain))


def _set_of(given: object, folder: str) -> GazeSet:
    keys = known_keys(GazeSet, given, "set")
    sources = keys.get("gaze", [])
    if not isinstance(sources, list):
        raise FeatureSpecError("set.gaze: expected [[set.gaze]], one or more")
    keys["gaze"] = tuple(_source_of(source, folder) for source in sources)
    for name in ("images", "masks", "split"):
        if keys.get(name) is not None:
            keys[name] = _beside(folder, keys[name], name)
    for name in ("sigma_px", "sigma_degrees", "pixels_per_degree"):
        if keys.get(name) is not None:
            keys[name] = number(f"set.{name}", keys[name], above=0)
    if not isinstance(keys["name"], str) or not keys["name"]:
        raise FeatureSpecError(f"set.name: {keys['name']!r} is not possible; expected a name")
    if not isinstance(keys.get("kind", ""), str):
        raise FeatureSpecError(f"set.kind: {keys['kind']!r} is not possible; expected a text")
    check_kinds(f"set {keys['name']!r}", {keys.get("kind", "")})
    _boolean("set.drop_first", keys.get("drop_first", False))
    return GazeSet(**keys)


def _source_of(given: object, folder: str) -> GazeSource:
    keys = known_keys(GazeSource, given, "gaze")
    _boolean("gaze.one_based", keys.get("one_based", False))
    return GazeSource(**{**keys, "path": _beside(folder, keys["path"], "gaze.path")})


def _beside(folder: str, path: object, where: str) -> str:
    if not isinstance(path, str) or not path:
        raise FeatureSpecError(f"{where}: {path!r} is not possible; expected a path")
    if "://" in path or os.path.isabs(path) or not folder:
        return path
    return f"{folder}/{path}" if "://" in folder else open_filesystem(os.path.join(folder, path))[1]


def _boolean(where: str, value: object) -> None:
    if not isinstance(value, bool):
        raise FeatureSpecError(f"{where}: {value!r} is not possible; expected true or false")
