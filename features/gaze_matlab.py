"""Gaze from MATLAB files: OSIE's one file of cells, MIT1003's one file a person and image, SALICON's one file an image.

The forms are those that the data sets are handed out in: OSIE (Xu et al. 2014), MIT1003 (Judd et al. 2009), SALICON
(Jiang et al. 2015). Files of version 7.3 are HDF5 and refused; MATLAB's ``save -v7`` writes them as they are read here.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.gaze import AdaptedGaze, GazeError, gaze_batch, subject_number
from features.gaze_samples import fixations_of_samples

MIT1003_HZ = 240.0
"""Rate of MIT1003's eye tracker (Judd et al. 2009)."""

_HDF5 = b"\x89HDF"


def read_osie(data: bytes, path: str, *, set_name: str, method: str) -> Iterator[AdaptedGaze]:
    """Yields the points of OSIE's ``fixations.mat``, cells of ``img`` and ``subjects`` with ``fix_x``, ``fix_y``.

    Raises:
        GazeError: not such a file.
    """
    content = _load(data, path)
    if "fixations" not in content:
        raise _other_form(path, content, "a variable `fixations`, cells with img and subjects")
    try:
        for cell in content["fixations"].ravel():
            entry = cell.ravel()[0]
            image = str(entry["img"].ravel()[0])
            for number, one in enumerate(entry["subjects"].ravel()):
                trace = one.ravel()[0]
                durations = trace["fix_duration"] if "fix_duration" in (trace.dtype.names or ()) else None
                yield _trace(set_name, method, image, number, trace["fix_x"], trace["fix_y"], durations)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as e:
        raise _other_form(path, content, "cells with img and subjects of fix_x and fix_y") from e


def read_mit1003(data: bytes, path: str, *, set_name: str, method: str) -> Iterator[AdaptedGaze]:
    """Yields the points of one person on one image, ``DATA/<person>/<image>.mat``.

    Either the raw form, one variable named after the image with ``DATA.eyeData`` of 240 samples a second, of which
    fixations are found by dispersion (``gaze_samples``); or the extracted form, ``fixations`` (N, 2) with
    ``durations``. The person is the folder's name, the image the file's name without its suffix.

    Raises:
        GazeError: neither.
    """
    content = _load(data, path)
    place = PurePosixPath(path)
    number = subject_number(place.parent.name)
    try:
        if "fixations" in content:
            found = np.asarray(content["fixations"], np.float64).reshape(-1, 2)
            yield _trace(set_name, method, place.stem, number, found[:, 0], found[:, 1], content.get("durations"))
            return
        [variable] = content.values()
        samples = variable.ravel()[0]["DATA"].ravel()[0]["eyeData"]
        x, y = np.asarray(samples, np.float64)[:, :2].T
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as e:
        raise _other_form(path, content, "DATA.eyeData, or fixations of two columns") from e
    fixations = fixations_of_samples(x, y, MIT1003_HZ)
    columns = (fixations.x, fixations.y, fixations.duration_ms, fixations.start_ms)
    yield _trace(set_name, method, place.stem, number, *columns)


def read_salicon(data: bytes, path: str, *, set_name: str, method: str) -> Iterator[AdaptedGaze]:
    """Yields the points of one image of SALICON: ``image`` and ``gaze``, one entry a person.

    For the method "mouse_samples" these are ``location`` and ``timestamp``, for others ``fixations``; both count pixels
    from 1 in the file. People have no names there: they are numbered from 0 anew for each image.

    Raises:
        GazeError: not such a file.
    """
    content = _load(data, path)
    samples = method == "mouse_samples"
    try:
        image = str(content["image"].ravel()[0]) if "image" in content else PurePosixPath(path).stem
        for number, one in enumerate(content["gaze"].ravel()):
            places = np.asarray(one["location" if samples else "fixations"], np.float64).reshape(-1, 2) - 1
            times = one["timestamp"] if samples else None
            yield _trace(set_name, method, image, number, places[:, 0], places[:, 1], None, times)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as e:
        raise _other_form(path, content, "gaze with location, timestamp and fixations") from e


READERS: dict[str, Callable[..., Iterator[AdaptedGaze]]] = {
    "osie": read_osie,
    "mit1003": read_mit1003,
    "salicon": read_salicon,
}
"""The MATLAB forms by name."""


def _load(data: bytes, path: str) -> dict[str, Any]:
    if data[:4] == _HDF5 or b"MATLAB 7.3 MAT-file" in data[:128]:
        raise GazeError(f"{path} is a MATLAB 7.3 file, which is not read; save it in MATLAB with -v7")
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as e:
        raise GazeError(f"{path} is a MATLAB file, which needs scipy; install it with: pip install scipy") from e
    try:
        content = loadmat(io.BytesIO(data), chars_as_strings=True)
    except (MatReadError, ValueError, TypeError, IndexError, KeyError, NotImplementedError, OSError) as e:
        raise GazeError(f"{path} is no MATLAB file that can be read ({' '.join(str(e).split())}); save it anew") from e
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _trace(
    set_name: str,
    method: str,
    image: str,
    subject: int,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    durations_ms: npt.ArrayLike | None = None,
    times_ms: npt.ArrayLike | None = None,
) -> AdaptedGaze:
    xs, ys = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    if len(xs) != len(ys):
        raise ValueError(f"{len(xs)} x and {len(ys)} y")
    more = [None if v is None else pa.array(np.asarray(v, np.float64).ravel()) for v in (durations_ms, times_ms)]
    images, subjects = pa.repeat(pa.scalar(image), len(xs)), pa.repeat(pa.scalar(subject), len(xs))
    return AdaptedGaze(gaze_batch(set_name, method, images, subjects, np.arange(len(xs)), xs, ys, *more))


def _other_form(path: str, content: dict[str, Any], expected: str) -> GazeError:
    names = ", ".join(sorted(content)) or "nothing"
    return GazeError(f"{path} holds {names} in another form; expected {expected}")
