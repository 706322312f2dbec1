"""The attention-examples pipeline on literal sets, end to end on the DirectRunner."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from features.attention_spec import AttentionSpec
from features.errors import AuguryError
from features.gaze_density import decode_map, density
from pipelines.attention_examples import make_attention_examples
from pipelines.attention_options import AttentionExamplesOptions, AttentionOptionError
from pipelines.attention_sets import SetsFileError
from pipelines.launch import PipelineFailedError
from pipelines.split_table import SplitTableError

WIDTH, HEIGHT = 64, 48


def photo(path: Path, seed: int, width: int = 128, height: int = 96) -> None:
    """Writes a picture that looks like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def records(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(data[12 : 12 + size])
        data = data[16 + size :]
    return found


def examples(folder: Path) -> dict[str, dict[str, Any]]:
    """Every example by its set and image."""
    found = {}
    for path in sorted(folder.glob("*/examples-*.tfrecord")):
        for row in ExamplesToRecordBatchDecoder(None).DecodeBatch(records(path)).to_pylist():
            assert row["split"] == [path.parent.name.encode()]
            found[f"{row['set'][0].decode()}/{row['image/id'][0].decode()}"] = row
    return found


def one_set(tmp_path: Path, **more: Any) -> dict[str, Any]:
    """Three photographs with two people's fixations each, the first of them forced."""
    for number in range(3):
        photo(tmp_path / "photos" / f"{number}.jpg", number)
    rows = ["image,subject,order,x,y"]
    for number in range(3):
        for subject in range(2):
            rows += [f"{number}.jpg,{subject},0,64,48", f"{number}.jpg,{subject},1,{20 + 40 * subject},{10 * number}"]
    (tmp_path / "eye.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "split.csv").write_text("image,split\n0.jpg,train\n1.jpg,val\n2.jpg,test\n")
    gaze = [{"path": "eye.csv", "method": "eye"}]
    return {"name": "photos", "images": "photos", "split": "split.csv", "drop_first": True, "gaze": gaze, **more}


def toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def run(tmp_path: Path, *sets: Mapping[str, Any], merge: Mapping[str, float] | None = None, **more: Any) -> Any:
    text = f"merge = {toml(merge)}\n" if merge else ""
    (tmp_path / "sets.toml").write_text(text + f"set = {toml(list(sets))}\n")
    given = {"width": WIDTH, "height": HEIGHT, "sigma_px": 8.0, "image_format": "png", **more}
    return make_attention_examples(
        AttentionExamplesOptions(sets=str(tmp_path / "sets.toml"), output=str(tmp_path / "data"), **given)
    )


def test_a_set_becomes_the_examples_expected(tmp_path: Path) -> None:
    card = run(tmp_path, one_set(tmp_path))
    assert card["images"] == {"read": 3, "masks": 0, "rejected": {}, "excluded": {}}
    assert card["gaze"] == {"read": 12, "rejected": {}, "dropped": {"forced_first_fixation": 6}}
    one = {"examples": 1, "fixations": 2, "sets": {"photos": 1}, "methods": {"eye": 1}}
    assert card["splits"] == {"train": one, "validation": one, "test": one}
    spec = AttentionSpec.from_json((tmp_path / "data/attention_spec.json").read_bytes())
    assert (card["fingerprint"], spec.sets) == (spec.fingerprint, ("photos",))
    found = examples(tmp_path / "data")
    assert {name: row["split"][0] for name, row in found.items()} == {
        "photos/0.jpg": b"train",
        "photos/1.jpg": b"validation",
        "photos/2.jpg": b"test",
    }
    row = found["photos/2.jpg"]
    assert row.keys() == spec.tensors().keys()
    assert (row["image/height"], row["image/width"], row["method"]) == ([96], [128], [b"eye"])
    assert (row["fixations/x"], row["fixations/y"], row["fixations/subject"]) == ([10, 30], [10, 10], [0, 1])
    shown = cv2.imdecode(np.frombuffer(row["image/encoded"][0], np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imread(str(tmp_path / "photos/2.jpg"))
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert abs(shown.astype(int) - cv2.resize(original, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)).max() <= 1
    stored = decode_map(row["map/encoded"][0], row["map/max"][0])
    np.testing.assert_allclose(stored, density(np.array([[10, 10], [30, 10]]), None, 48, 64, 4.0), atol=1e-6)


def test_the_kind_of_content_goes_along(tmp_path: Path) -> None:
    given = one_set(tmp_path, kind="photo")
    (tmp_path / "split.csv").write_text("image,split,kind\n0.jpg,train,drawing\n1.jpg,val,\n2.jpg,test,\n")
    run(tmp_path, given)
    kinds = {name: row["kind"][0] for name, row in examples(tmp_path / "data").items()}
    assert kinds == {"photos/0.jpg": b"drawing", "photos/1.jpg": b"photo", "photos/2.jpg": b"photo"}


def test_the_number_of_shards_and_the_order_of_rows_change_no_example(tmp_path: Path) -> None:
    given = one_set(tmp_path)
    run(tmp_path, given)
    before = examples(tmp_path / "data")
    header, *rows = (tmp_path / "eye.csv").read_text().splitlines()
    (tmp_path / "eye.csv").write_text("\n".join([header, *rows[::-1]]) + "\n")
    run(tmp_path, given, shards=3, overwrite=True)
    assert examples(tmp_path / "data") == before
    assert len(list((tmp_path / "data").glob("*/*-of-00003.tfrecord"))) == 3


def test_sets_and_methods_are_merged_and_near_duplicates_stay_together(tmp_path: Path) -> None:
    photos = one_set(tmp_path)
    photo(tmp_path / "pages/copy.png", 2, width=256, height=192)  # the photograph of the test, larger
    photo(tmp_path / "pages/own.png", 7, width=96, height=96)
    photo(tmp_path / "pages/unseen.png", 8)
    photo(tmp_path / "masks/own.jpg", 9, width=48, height=48)
    samples = "image,subject,order,x,y\n" + "".join(f"0.jpg,1,{n},{n},48\n" for n in range(0, 128, 4))
    (tmp_path / "mouse.csv.gz").write_bytes(gzip.compress(samples.encode()))
    clicks = "page,x,y\ncopy,1,1\ncopy.png,256,100\nown,50,50\n"
    (tmp_path / "clicks.csv.zst").write_bytes(zstandard.ZstdCompressor().compress(clicks.encode()))
    photos["gaze"].append({"path": "mouse.csv.gz", "method": "mouse_samples", "sample_ms": 20})
    pages = {
        "name": "pages",
        "images": "pages",
        "masks": "masks",
        "sigma_degrees": 0.5,
        "pixels_per_degree": 40,
        "gaze": [{"path": "clicks.csv.zst", "method": "clicks", "columns": {"image": "page"}}],
    }
    weights = {"eye": 1.0, "mouse_samples": 0.5, "clicks": 0.5, "mask": 1.0}
    card = run(tmp_path, photos, pages, merge=weights, validation=0.0, test=0.0, resample_step=40.0)
    assert card["near_duplicates"] == {"most_bits": 4, "groups": 1, "images": 2}
    assert card["images"]["excluded"] == {"no_gaze": 1}
    assert card["gaze"]["dropped"] == {"forced_first_fixation": 6, "outside_image": 1}
    spec = AttentionSpec.from_json((tmp_path / "data/attention_spec.json").read_bytes())
    assert (spec.sets, spec.sigma_of("photos"), spec.sigma_of("pages")) == (("photos", "pages"), 8, 20)
    assert dict(spec.merge) == dict(sorted(weights.items()))
    found = examples(tmp_path / "data")
    assert {name: (row["split"][0], row["method"][0]) for name, row in found.items()} == {
        "photos/0.jpg": (b"train", b"eye+mouse_samples"),
        "photos/1.jpg": (b"validation", b"eye"),
        "photos/2.jpg": (b"test", b"eye"),
        "pages/copy.png": (b"test", b"clicks"),  # where its twin is, although the rest of its set is for training
        "pages/own.png": (b"train", b"clicks+mask"),
    }
    # samples every 4 orders of 20 ms, one point every 40 ms: two points from one sample to the next, 4 pixels away
    eye = density(np.array([[10, 0], [30, 0]]), None, 48, 64, 4.0)
    mouse = density(np.stack([np.arange(63.0), np.full(63, 24.0)], 1), None, 48, 64, 4.0)
    row = found["photos/0.jpg"]
    stored = decode_map(row["map/encoded"][0], row["map/max"][0])
    np.testing.assert_allclose(stored, (eye + 0.5 * mouse) / 1.5, atol=1e-6)


def test_what_cannot_be_read_is_in_the_dead_letter(tmp_path: Path) -> None:
    given = one_set(tmp_path)
    del given["split"]
    (tmp_path / "photos/1.jpg").write_bytes(b"no picture")
    with (tmp_path / "eye.csv").open("a") as file:
        file.write("4.jpg,0,1,3,3\n0.jpg,0,2,x,3\n")
    card = run(tmp_path, given, max_bad_share=0.5)
    assert card["images"]["rejected"] == {"not_an_image": 1}
    assert card["gaze"]["rejected"] == {"bad_number": 1, "unknown_image": 1}
    assert card["gaze"]["dropped"] == {"forced_first_fixation": 4, "of_unreadable_image": 4}
    letters = {
        (row["reason"], Path(row["source"]).name) for row in pq.read_table(tmp_path / "data-dead-letter").to_pylist()
    }
    assert letters == {("not_an_image", "1.jpg"), ("bad_number", "eye.csv"), ("unknown_image", "eye.csv")}
    with pytest.raises(PipelineFailedError, match=r"1 of 3 images \(33.3%\) were rejected \(not_an_image 1\); at most"):
        run(tmp_path, given, max_bad_share=0.2, overwrite=True)
    assert (tmp_path / "data/dataset_card.json").exists()  # as it was
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_job_that_makes_nothing_says_so(tmp_path: Path) -> None:
    given = one_set(tmp_path)
    (tmp_path / "eye.csv").write_text("image,subject,order,x,y\n0.jpg,0,1,500,500\n")
    with pytest.raises(PipelineFailedError, match="3 images and 1 rows of gaze read, but no example was made"):
        run(tmp_path, given)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gaze": [], "masks": None}, SetsFileError, "set 'photos' has neither gaze nor masks"),
        ({"colour": 1}, SetsFileError, "set: unknown key 'colour'"),
        ({"name": ""}, SetsFileError, "set.name: '' is not possible; expected a name"),
        ({"drop_first": "yes"}, SetsFileError, "set.drop_first: 'yes' is not possible; expected true or false"),
        ({"kind": 3}, SetsFileError, "set.kind: 3 is not possible; expected a text"),
        ({"kind": "k" * 65}, SetsFileError, "set 'photos': kind 'k+'... is longer than 64 characters"),
        ({"sigma_degrees": 1}, SetsFileError, "sigma_degrees and pixels_per_degree go together"),
        ({"sigma_px": -1}, SetsFileError, "set.sigma_px: -1 is not possible"),
        ({"gaze": [{"path": "eye.csv", "method": "ear"}]}, SetsFileError, "gaze.method: 'ear' is unknown"),
        ({"gaze": [{"path": "eye.csv"}]}, SetsFileError, "gaze: missing key 'method'"),
        (
            {"gaze": [{"path": "eye.csv", "method": "eye", "adapter": "osie", "one_based": True}]},
            SetsFileError,
            "leave them out for 'osie'",
        ),
        ({"gaze": [{"path": "none.csv", "method": "eye"}]}, AttentionOptionError, "none.csv: no gaze of set 'photos'"),
        ({"images": "empty"}, AttentionOptionError, "no images of set 'photos' there"),
        ({"split": "eye.csv"}, SplitTableError, "eye.csv is no table of image,split"),
        ({"split": "other.csv"}, AttentionOptionError, "has no split for 2 of 3 images of set 'photos', such as 1.jpg"),
        (
            {"split": "odd.csv"},
            SplitTableError,
            "split 'exam' is unknown; expected one of train",
        ),
        ({"split": "twice.csv"}, SplitTableError, "0.jpg is in two splits; leave one"),
    ],
)
def test_a_sets_file_that_cannot_be_is_refused(
    tmp_path: Path, change: dict[str, Any], error: type[AuguryError], message: str
) -> None:
    given = {name: value for name, value in one_set(tmp_path, **change).items() if value is not None}
    (tmp_path / "other.csv").write_text("image,split\n0.jpg,train\n")
    (tmp_path / "odd.csv").write_text("image,split\n0.jpg,exam\n")
    (tmp_path / "twice.csv").write_text("image,split\n0.jpg,train\n0.jpg,test\n")
    with pytest.raises(error, match=message):
        run(tmp_path, given)
    assert not (tmp_path / "data").exists()


def test_other_files_are_no_sets_files(tmp_path: Path) -> None:
    (tmp_path / "sets.toml").write_text("[[set")
    options = AttentionExamplesOptions(sets=str(tmp_path / "sets.toml"), output=str(tmp_path / "data"))
    with pytest.raises(SetsFileError, match="sets.toml is not TOML"):
        make_attention_examples(options)
    (tmp_path / "sets.toml").write_text("")
    with pytest.raises(SetsFileError, match="there is no \\[\\[set\\]\\]; describe at least one"):
        make_attention_examples(options)
    given = one_set(tmp_path)
    with pytest.raises(SetsFileError, match="set 'photos' is there twice"):
        run(tmp_path, given, given)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(AttentionOptionError, match="near_bits is 32; expected -1 to 31"):
        AttentionExamplesOptions(sets="s", output="o", near_bits=32)
    with pytest.raises(AttentionOptionError, match="validation 0.5 and test 0.5 leave nothing to train on"):
        AttentionExamplesOptions(sets="s", output="o", validation=0.5, test=0.5)


def test_two_processes_make_what_one_makes(tmp_path: Path) -> None:
    given = one_set(tmp_path)
    (tmp_path / "photos/bad.jpg").write_bytes(b"no picture")
    with (tmp_path / "split.csv").open("a") as split, (tmp_path / "eye.csv").open("a") as eye:
        split.write("bad.jpg,train\n")
        eye.write("nobody.jpg,0,1,2,3\n")
    made = []
    for processes in (1, 2):
        card = run(tmp_path, given, processes=processes, overwrite=True, max_bad_share=0.5)
        letters = [pq.read_table(path).to_pylist() for path in sorted((tmp_path / "data-dead-letter").glob("*"))]
        made.append((card, examples(tmp_path / "data"), letters))
    assert made[0] == made[1]
    assert (len(made[0][1]), len(made[0][2])) == (3, 2)


def test_a_number_of_processes_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AttentionOptionError, match="processes is 0; expected 1 to 256"):
        run(tmp_path, one_set(tmp_path), processes=0)
