"""Catalogues: manifests, folders, folders with a CSV; what is wrong in them is counted."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from features.catalogue import CATALOGUE_SCHEMA, CatalogueError, column_names, read_folder, read_manifest
from features.storage import StorageError, atomic_write

SUM = hashlib.sha256(b"a").hexdigest()
OTHER = hashlib.sha256(b"b").hexdigest()
DATA = Path(os.environ.get("AUGURY_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_manifest(tmp_path: Path) -> None:
    files(tmp_path, "images/aa/1.jpg", "images/bb/2.png", "other.txt")
    (tmp_path / "manifest.csv").write_text(
        "product,relative_im_path,shoe_brand,shoe_gender,shoe_name,price,source_url,sha256,page_url\n"
        f'p1,images/aa/1.jpg,Ä & Co,women,"Runner, ""fast""",19.90,http://a/1,{SUM},http://a\n'
        f"p1, ./images//bb/2.png ,,,,,,{OTHER},\n"
    )
    found = read_manifest(tmp_path / "manifest.csv")
    assert found.products.schema == CATALOGUE_SCHEMA
    image = str(tmp_path / "images/aa/1.jpg")
    assert found.products.to_pylist() == [
        {"product": "p1", "image": image, "brand": "Ä & Co", "gender": "women", "name": 'Runner, "fast"', "kind": "",
         "price": "19.90", "url": "http://a/1", "sha256": SUM},
        {"product": "p1", "image": str(tmp_path / "images/bb/2.png"), "brand": "", "gender": "", "name": "", "kind": "",
         "price": "", "url": "", "sha256": OTHER},
    ]  # fmt: skip
    assert found.counts() == {}


def test_what_is_wrong_in_a_manifest_is_counted(tmp_path: Path) -> None:
    folder = files(tmp_path / "in", *(f"{n}.jpg" for n in range(9)))
    files(tmp_path, "secret.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "fine.jpg").symlink_to(folder / "8.jpg")
    files(tmp_path / "elsewhere", "in.jpg")
    (folder / "deep").symlink_to(tmp_path / "elsewhere")
    rows = [
        f"0.jpg,{SUM}",
        f"1.jpg,{SUM}",  # duplicate_content
        "./0.jpg,",  # duplicate_image
        ",",  # no_image_name
        "gone.jpg,",  # missing_file
        "../secret.jpg,",  # bad_path
        "a/../../secret.jpg,",
        f"{tmp_path}/secret.jpg,",
        "..\\secret.jpg,",
        "C:/secret.jpg,",
        "http://a/secret.jpg,",
        "link.jpg,",  # outside_folder
        "deep/in.jpg,",  # links to folders are not followed
        "fine.jpg,",
        "2.jpg,abc",  # bad_sha256
        "3.jpg",  # wrong_columns
        "4.jpg,,,",  # wrong_columns
        "a" * 5000 + ".jpg,",  # too_long
        "5.jpg,",
    ]
    (folder / "manifest.csv").write_text("relative_im_path,sha256\n" + "\n".join(rows) + "\n")
    found = read_manifest(folder / "manifest.csv")
    assert [os.path.basename(path) for path in found.products["image"].to_pylist()] == ["0.jpg", "fine.jpg", "5.jpg"]
    assert found.products["product"].to_pylist() == ["0", "fine", "5"]
    assert found.counts() == {
        "bad_path": 6,
        "bad_sha256": 1,
        "duplicate_content": 1,
        "duplicate_image": 1,
        "missing_file": 2,
        "no_image_name": 1,
        "outside_folder": 1,
        "too_long": 1,
        "wrong_columns": 2,
    }
    assert found.products.num_rows + found.rejected.num_rows == len(rows)
    assert "gone.jpg," in found.rejected["row"].to_pylist()


def test_a_folder(tmp_path: Path) -> None:
    files(tmp_path, "b.JPG", "a/c.webp", "a/c.txt", ".hidden.jpg")
    found = read_folder(tmp_path)
    assert found.products["product"].to_pylist() == ["a/c", "b"]
    assert found.products["image"].to_pylist() == [str(tmp_path / "a/c.webp"), str(tmp_path / "b.JPG")]
    assert (found.counts(), found.rejected["row"].to_pylist()) == ({"not_an_image_name": 1}, ["a/c.txt"])


def test_a_folder_and_a_table(tmp_path: Path) -> None:
    files(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfphoto,type,kids\na.jpg,Shoes,true\nb.jpg,Hat,false\n")
    found = read_folder(tmp_path, tmp_path / "t.csv", {"image": "photo", "kind": "type", "gender": "kids"})
    assert found.products.select(["product", "kind", "gender"]).to_pylist() == [
        {"product": "a", "kind": "Shoes", "gender": "true"},
        {"product": "b", "kind": "Hat", "gender": "false"},
    ]
    assert (found.counts(), found.rejected["row"].to_pylist()) == ({"not_in_table": 1}, ["c.jpg"])


def test_remote_folders(new_bucket: Callable[[str], str]) -> None:
    bucket = new_bucket("catalogue")
    for name in ("images/a.jpg", "images/b.jpg"):
        atomic_write(f"{bucket}/{name}", b"x")
    atomic_write(f"{bucket}/manifest.csv", "relative_im_path,shoe_name\nimages/b.jpg,B\nimages/c.jpg,C\n")
    found = read_manifest(f"{bucket}/manifest.csv")
    assert found.products.select(["product", "image", "name"]).to_pylist() == [
        {"product": "images/b", "image": f"{bucket}/images/b.jpg", "name": "B"}
    ]
    assert found.counts() == {"missing_file": 1}
    assert read_folder(f"{bucket}/images").products["product"].to_pylist() == ["a", "b"]
    assert read_folder(bucket, f"{bucket}/manifest.csv").counts() == {"missing_file": 1, "not_in_table": 1}


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (b"", {}, "is no CSV table"),
        (
            b"name,price\na,b\n",
            {},
            "has no column 'image' or 'relative_im_path' (it has name, price); map it as image=COLUMN",
        ),
        (b"image,price\na,b\n", {"kind": "type"}, "has no column 'type' (it has image, price); map it as kind=COLUMN"),
        (b"image,image\na,b\n", {}, "has two columns 'image'; rename one"),
        (b"image\n\xff\xfe\n", {}, "is no CSV table"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, content: bytes, columns: dict[str, str], message: str) -> None:
    files(tmp_path, "a")
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(CatalogueError, match=re.escape(message)) as caught:
        read_manifest(tmp_path / "manifest.csv", columns)
    assert "\n" not in str(caught.value)


def test_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there are no files in .*; check the path"):
        read_folder(tmp_path)
    with pytest.raises(StorageError, match="no such file"):
        read_manifest(tmp_path / "manifest.csv")
    files(tmp_path, "a.jpg")
    with pytest.raises(CatalogueError, match="columns are mapped"):
        read_folder(tmp_path, columns={"kind": "type"})
    (tmp_path / "t.csv").write_text("image\n")
    assert read_folder(tmp_path, tmp_path / "t.csv").counts() == {"not_in_table": 1}


def test_columns_on_the_command_line() -> None:
    assert column_names(["kind=type", "image=a=b"]) == {"kind": "type", "image": "a=b"}
    for flags in (["kind"], ["kind="], ["colour=x"], ["kind=a", "kind=b"]):
        with pytest.raises(CatalogueError, match="expected one of product, image, brand"):
            column_names(flags)


def test_many_images_in_many_folders(tmp_path: Path) -> None:
    for prefix in range(256):
        (tmp_path / f"{prefix:02x}").mkdir()
    rows = [f"{n % 256:02x}/{n}.jpg" for n in range(2_000)]
    for row in rows:
        os.close(os.open(tmp_path / row, os.O_CREAT | os.O_WRONLY))
    (tmp_path / "manifest.csv").write_text("\n".join(["image", *rows, ""]))
    assert read_manifest(tmp_path / "manifest.csv").products.num_rows == 2_000


@pytest.mark.skipif(not (DATA / "products").is_dir(), reason="the product photos (AUGURY_DATA) are not here")
def test_the_product_photos() -> None:
    found = read_folder(DATA / "products" / "images", DATA / "products" / "products.csv")
    assert found.products.num_rows == 1584
    assert found.counts() == {}
    assert found.products["kind"].to_pylist().count("Shoes") == 360
