"""The table of an official split, with and without kinds of content."""

from pathlib import Path

import pytest

from pipelines.split_table import LONGEST_KIND, MOST_KINDS, Official, SplitTableError, read_split_table


def test_kinds_are_optional(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("image,split\na.jpg,train\nb.jpg,val\nb.jpg,validation\n")
    assert read_split_table(str(path)) == {"a.jpg": Official("train"), "b.jpg": Official("validation")}
    path.write_text("kind,image,more,split\nshop,a.jpg,1,train\n,007,2,test\n")
    assert read_split_table(str(path)) == {"a.jpg": Official("train", "shop"), "007": Official("test")}


MANY = "".join(f"{n}.jpg,train,{n}\n" for n in range(MOST_KINDS + 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,part\na,train\n", r"split.csv is no table of image,split \(.*split"),
        ("", "split.csv is no table of image,split"),
        ("image,split\na,exam\n", "split 'exam' is unknown; expected one of train, validation, test"),
        ("image,split\na,\n", "split '' is unknown"),
        ("image,split\na,train\na,test\n", "a is in two splits; leave one"),
        ("image,split,kind\na,train,shop\na,train,news\n", "a is of two kinds, 'shop' and 'news'; leave one"),
        (f"image,split,kind\n{MANY}", "51 kinds of content; expected at most 50: group them"),
        (f"image,split,kind\na,train,{'k' * (LONGEST_KIND + 1)}\n", "is longer than 64 characters"),
    ],
)
def test_a_table_that_is_none_or_contradicts_itself_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(SplitTableError, match=message):
        read_split_table(str(tmp_path / "split.csv"))
