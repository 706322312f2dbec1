"""Tables of fixations, samples and clicks: literal files."""

import io
from typing import Any

import pytest

from features import gaze_tables
from features.gaze import GazeError
from features.gaze_tables import read_points


def read(text: str, **more: Any) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    given = {"set_name": "s", "method": "eye", **more}
    points, rejected = [], []
    for adapted in read_points(io.BytesIO(text.encode()), "table.csv", **given):
        points += adapted.points.to_pylist()
        rejected += [(letter["reason"], letter["row"]) for letter in adapted.rejected.to_pylist()]
        assert {letter["source"] for letter in adapted.rejected.to_pylist()} <= {"table.csv"}
    return points, rejected


def test_a_fixation_table() -> None:
    header = "image,subject,order,x,y,duration_ms\n"
    points, rejected = read(f"{header}1001.jpg,0,0,395.5,265.7,246\n1001.jpg,0,1,390.6,326,\n")
    assert rejected == []
    assert points[0] == {
        "set": "s",
        "image": "1001.jpg",
        "method": "eye",
        "subject": 0,
        "order": 0,
        "x": 395.5,
        "y": pytest.approx(265.7, abs=1e-4),
        "duration_ms": 246.0,
        "time_ms": None,
    }
    assert points[1]["duration_ms"] is None


def test_only_image_and_place_are_needed_and_order_is_then_that_of_the_rows() -> None:
    points, _ = read("x,y,image\n1,2,a\n3,4,b\n5,6,a\n", method="clicks")
    assert [(p["image"], p["subject"], p["order"], p["x"], p["y"], p["method"]) for p in points] == [
        ("a", 0, 0, 1, 2, "clicks"),
        ("b", 0, 1, 3, 4, "clicks"),
        ("a", 0, 2, 5, 6, "clicks"),
    ]


def test_names_are_mapped_and_duration_needs_none() -> None:
    columns = {"image": "page", "x": "px", "y": "py", "time_ms": "t"}
    [point], _ = read("who,px,py,duration,page,t\nZ,1,2,80,home.png,5\n", columns=columns)
    assert (point["image"], point["x"], point["duration_ms"], point["time_ms"]) == ("home.png", 1, 80, 5)


def test_matlab_pixels_and_samples_without_times() -> None:
    points, _ = read("image,order,x,y\na,3,1,1\n", method="mouse_samples", one_based=True, sample_ms=20)
    assert (points[0]["x"], points[0]["y"], points[0]["time_ms"]) == (0, 0, 60)


def test_rows_that_are_no_points_are_dead_letters() -> None:
    points, rejected = read(
        "image,subject,order,x,y\n"
        "a,1,0,here,2\n"  # no number
        ",1,1,1,2\n"  # no image
        "a,1,2,,2\n"  # no x
        "a,1,2.5,1,2\n"  # half an order
        "a,1,3,nan,2\n"
        "a,1,4,1,inf\n"
        "a,1,5,1\n"  # a column short
        "a,1,99999999999,1,1\n"
        "a,1,,7,8\n"  # an order that is not known is that of the row
        "a,bob, 7 , 3.5 ,+4e0\n"
    )
    assert [(p["order"], p["x"], p["y"]) for p in points] == [(7, 7, 8), (7, 3.5, 4)]
    assert rejected == [
        ("bad_number", "a,1,0,here,2"),
        ("no_image_name", ",1,1,1,2"),
        ("bad_number", "a,1,2,,2"),
        ("bad_number", "a,1,2.5,1,2"),
        ("bad_number", "a,1,3,nan,2"),
        ("bad_number", "a,1,4,1,inf"),
        ("bad_number", "a,1,99999999999,1,1"),
        ("wrong_columns", "a,1,5,1"),
    ]


def test_the_size_of_the_blocks_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "image,x,y\n" + "".join(f"i{n % 7},{n},{n / 2}\n" for n in range(500))
    whole = read(text)
    monkeypatch.setattr(gaze_tables, "BLOCK_BYTES", 256)
    assert read(text) == whole
    assert [p["order"] for p in whole[0]] == list(range(500))


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert len(read("\ufeffimage,x,y\na,1,2\n")[0]) == 1


def test_a_table_of_no_rows_has_no_points() -> None:
    assert read("image,x,y\n") == ([], [])


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", {}, "table.csv is empty; expected a header such as image,subject,order,x,y"),
        ("image,x\na,1\n", {}, r"table.csv has no column 'y' \(it has image, x\); map it in `columns` of the set"),
        ("image,x,y\n", {"columns": {"subject": "who"}}, "table.csv has no column 'who'"),
        ("image,x,y\n", {"columns": {"z": "who"}}, "columns of table.csv map 'z'; expected one of image, x, y"),
        ("image,x,y\n", {"method": "mask"}, "method 'mask' of table.csv is unknown; expected one of eye"),
    ],
)
def test_what_is_no_such_table_is_refused(text: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(GazeError, match=message):
        read(text, **more)


def test_shares_of_the_size_are_no_pixels() -> None:
    rows = "".join(f"a.jpg,{k / 30},{1 - k / 30}\n" for k in range(31))
    with pytest.raises(
        GazeError, match="table.csv: all 31 points have x and y from 0 to 1, .*expected pixels: multiply them"
    ):
        read("image,x,y\n" + rows)
    points, _ = read("image,x,y\n" + rows + "a.jpg,1.5,0\n")
    assert len(points) == 32
    points, _ = read("image,x,y\n" + "a.jpg,0.5,0.5\n" * 20)  # few may well be where they are said to be
    assert len(points) == 20
