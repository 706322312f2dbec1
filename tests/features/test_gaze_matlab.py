"""MATLAB files of the forms that OSIE, MIT1003 and SALICON are handed out in, written by scipy."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.gaze import GazeError
from features.gaze_matlab import READERS
from features.gaze_samples import fixations_of_samples

scipy_io = pytest.importorskip("scipy.io", reason="scipy is not installed; MATLAB files cannot be read without it")


def saved(**variables: Any) -> bytes:
    file = io.BytesIO()
    scipy_io.savemat(file, variables, do_compression=True)
    return file.getvalue()


def cells(*values: Any) -> np.ndarray:
    """A column of cells."""
    column = np.empty((len(values), 1), object)
    for row, value in enumerate(values):
        column[row, 0] = value
    return column


def read(form: str, data: bytes, path: str, method: str = "eye") -> pa.Table:
    found = list(READERS[form](data, path, set_name="s", method=method))
    return pa.Table.from_batches([adapted.points for adapted in found])


def trace(*rows: tuple[float, float, float]) -> dict[str, np.ndarray]:
    x, y, duration = (np.array([column]) for column in zip(*rows, strict=True))
    return {"fix_x": x, "fix_y": y, "fix_duration": duration}


def test_osie_has_all_images_in_one_file() -> None:
    image = {"img": "1001.jpg", "subjects": cells(trace((395.5, 265.7, 246), (390.6, 326.4, 136)), trace((1, 2, 3)))}
    other = {"img": "1002.jpg", "subjects": cells(trace((7, 8, 9)))}
    found = read("osie", saved(fixations=cells(image, other)), "eye/fixations.mat").to_pydict()
    assert found["image"] == ["1001.jpg", "1001.jpg", "1001.jpg", "1002.jpg"]
    assert found["subject"] == [0, 0, 1, 0]
    assert found["order"] == [0, 1, 0, 0]
    np.testing.assert_allclose(found["x"], [395.5, 390.6, 1, 7], rtol=1e-6)
    assert found["duration_ms"] == [246, 136, 3, 9]


def test_mit1003_has_raw_samples_of_one_person_and_image() -> None:
    # 60 samples at (100, 200), a jump through 5, then 48 at (400, 300), then a blink
    still = [[100, 200, 0]] * 60 + [[160 + 50 * n, 220 + 16 * n, 0] for n in range(5)] + [[400, 300, 0]] * 48
    data = np.array([*still, *[[-32768, -32768, 0]] * 30], float)
    content = saved(i05june05_static_street_boston_p1010764={"DATA": {"eyeData": data}, "imgName": "x"})
    found = read("mit1003", content, "DATA/hp/i05june05_static_street_boston_p1010764.mat").to_pydict()
    assert found["image"] == ["i05june05_static_street_boston_p1010764"] * 2
    assert len(set(found["subject"])) == 1
    assert list(zip(found["x"], found["y"], strict=True)) == [(100, 200), (400, 300)]
    assert found["duration_ms"] == [250, 200]
    assert found["time_ms"] == [0, pytest.approx(65 * 1000 / 240)]


def test_mit1003_may_have_its_fixations_extracted() -> None:
    content = saved(fixations=np.array([[10.5, 20.5], [30, 40]]), starts=[[1, 90]], durations=[[300, 200]])
    found = read("mit1003", content, "extracted/hp/street.mat").to_pydict()
    assert (found["x"], found["y"], found["duration_ms"]) == ([10.5, 30], [20.5, 40], [300, 200])
    assert found["image"] == ["street"] * 2


def salicon() -> bytes:
    kinds = [("location", "O"), ("timestamp", "O"), ("fixations", "O")]
    gaze = np.empty((2, 1), kinds)
    gaze[0, 0] = (np.array([[1, 1], [321, 241]]), np.array([[5], [15]]), np.array([[321, 241]], np.uint16))
    gaze[1, 0] = (np.array([[640, 480]]), np.array([[7]]), np.zeros((0, 2)))
    return saved(image="COCO_train2014_000000000009", resolution=[[480, 640]], gaze=gaze)


def test_salicon_counts_pixels_from_one() -> None:
    found = read("salicon", salicon(), "train/COCO_train2014_000000000009.mat", "mouse_samples").to_pydict()
    assert list(zip(found["x"], found["y"], strict=True)) == [(0, 0), (320, 240), (639, 479)]
    assert (found["subject"], found["time_ms"]) == ([0, 0, 1], [5, 15, 7])
    assert set(found["image"]) == {"COCO_train2014_000000000009"}
    found = read("salicon", salicon(), "x.mat", "eye").to_pydict()
    assert list(zip(found["x"], found["y"], strict=True)) == [(320, 240)]


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("osie", saved(other=[1]), "f.mat holds other in another form; expected a variable `fixations`"),
        ("osie", saved(fixations=[1.0]), "f.mat holds fixations in another form"),
        ("mit1003", saved(a=[1]), "f.mat holds a in another form; expected DATA.eyeData"),
        ("mit1003", saved(fixations=[[1.0, 2.0, 3.0]]), "f.mat holds fixations in another form"),
        ("salicon", saved(image="a"), "f.mat holds image in another form; expected gaze with location"),
        ("salicon", salicon()[:300], "f.mat is no MATLAB file that can be read"),
        ("osie", b"", "f.mat is no MATLAB file that can be read"),
        ("osie", b"image,x,y\n" * 40, "f.mat is no MATLAB file that can be read"),
        ("osie", b"\x89HDF\r\n", "f.mat is a MATLAB 7.3 file, which is not read; save it in MATLAB with -v7"),
        ("osie", b"MATLAB 7.3 MAT-file, Platform" + bytes(200), "f.mat is a MATLAB 7.3 file"),
    ],
)
def test_other_files_are_refused(form: str, content: bytes, message: str) -> None:
    with pytest.raises(GazeError, match=message):
        read(form, content, "f.mat")


def test_fixations_by_dispersion() -> None:
    # at 100 Hz a fixation of 100 ms is 10 samples; 12 within 4 pixels, then 9 elsewhere, which are too few
    x = np.array([10.0, 12, 14] * 4 + [200.0] * 9)
    found = fixations_of_samples(x, np.full(21, 50.0), 100.0, most_px=4, least_ms=100)
    assert (found.x.tolist(), found.y.tolist()) == ([12], [50])
    assert (found.start_ms.tolist(), found.duration_ms.tolist()) == ([0], [120])
    assert len(fixations_of_samples(x, np.full(21, 50.0), 100.0, most_px=3, least_ms=100).x) == 0
    assert len(fixations_of_samples(np.zeros(0), np.zeros(0), 100.0).x) == 0
