import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.rows import MALFORMED
from transforms.csv_rows import HeaderError, csv_tables


def read(*lines: bytes, chunk: int = 100) -> tuple[list[tuple], list[bytes]]:
    """Rows of all tables, and the malformed lines."""
    chunks = [list(lines[start : start + chunk]) for start in range(0, len(lines), chunk)]
    rows: list[tuple] = []
    broken: list[bytes] = []
    for table in csv_tables(chunks, "f.csv"):
        flags = table.column(MALFORMED).to_pylist()
        values = zip(*[table.column(name).to_pylist() for name in table.column_names[:-1]], strict=True)
        rows += [row for row, flag in zip(values, flags, strict=True) if flag is None]
        broken += [flag for flag in flags if flag is not None]
    return rows, broken


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_quotes_separators_and_line_feeds(chunk: int):
    rows, broken = read(b"a,b", b'1,"x,y"', b'2,"say ""hi"""', b'3,"two', b'lines"', b"4,", b",", chunk=chunk)
    assert rows == [(b"1", b"x,y"), (b"2", b'say "hi"'), (b"3", b"two\nlines"), (b"4", None), (None, None)]
    assert broken == []


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_lines_that_do_not_fit_are_kept_apart(chunk: int):
    rows, broken = read(b"a,b", b"1,2", b"1", b"1,2,3", b"5,6", b'7,"never', b"8,9", chunk=chunk)
    assert rows == [(b"1", b"2"), (b"5", b"6"), (b"8", b"9")]
    assert sorted(broken) == [b"1", b"1,2,3", b'7,"never']


def test_a_quote_that_never_ends_costs_its_own_line_only():
    filler = [b"%d,%s" % (i, b"x" * 1000) for i in range(60)]
    rows, broken = read(b"a,b", b'0,"open', *filler, chunk=10)
    assert len(rows) == 60
    assert broken == [b'0,"open']


@pytest.mark.parametrize("line", [b'1,x"y', b'x"y,"z', b'"a"b,c', b"1\r2,3", b'"a\rb",c', b"\xff,\xfe", b"1,2\x00"])
def test_odd_lines_end_in_exactly_one_place(line: bytes):
    rows, broken = read(b"a,b", b"1,2", line, b"3,4")
    assert len(rows) + len(broken) == 3
    assert (b"1", b"2") in rows
    assert (b"3", b"4") in rows or line.count(b'"') % 2


@pytest.mark.parametrize(("header", "line"), [(b"a;b", b"1,5;2"), (b"a\tb", b"1,5\t2"), (b"a|b", b"1,5|2")])
def test_the_separator_is_read_off_the_header(header: bytes, line: bytes):
    assert read(header, line) == ([(b"1,5", b"2")], [])


def test_one_column_and_a_byte_order_mark():
    chunks = [[b"\xef\xbb\xbfname", b"x"]]
    (table,) = csv_tables(chunks, "f.csv")
    assert table.column_names == ["name", MALFORMED]
    assert table.schema.field("name").type == pa.binary()


def test_an_overlong_line_is_malformed():
    rows, broken = read(b"a,b", b"x" * 40_000, b"1,2")
    assert (rows, broken) == ([(b"1", b"2")], [b"x" * 40_000])


def test_a_header_alone_has_no_rows():
    assert read(b"a,b") == ([], [])
    assert read() == ([], [])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"a,,b", "f.csv has column name '' empty or twice in its first line; expected a header that names every colu"),
        (b"a,b,a", "f.csv has column name 'a' empty or twice"),
        (b"\xff,b", "f.csv begins with a line that is not UTF-8; save it as UTF-8 CSV with a header"),
        (b"x" * 40_000, "f.csv begins with a line of more than 32 KB; expected a header"),
    ],
)
def test_a_first_line_that_is_no_header_is_refused(header: bytes, message: str):
    with pytest.raises(HeaderError, match=message):
        read(header, b"1,2")


fields = st.text(alphabet='ab,;"\n é', max_size=5)


@given(st.lists(st.tuples(fields, fields), max_size=8), st.integers(1, 4))
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str]], chunk: int):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    lines = [line for line in text.getvalue().encode().split(b"\n") if line]
    read_rows, broken = read(b"a,b", *lines, chunk=chunk)
    # Blank lines are no rows, so a line feed right beside another within quotes is read as one.
    expected = [tuple(_squeezed(value) for value in row) for row in rows]
    assert [tuple((value or b"").decode() for value in row) for row in read_rows] == expected
    assert broken == []


def _squeezed(text: str) -> str:
    while "\n\n" in text:
        text = text.replace("\n\n", "\n")
    return text


@given(st.lists(st.text(alphabet='a,"\r é', min_size=1, max_size=8).map(str.encode), max_size=8), st.integers(1, 4))
def test_every_line_is_in_a_row_or_malformed(lines: list[bytes], chunk: int):
    rows, broken = read(b"a,b", *lines, chunk=chunk)
    assert all(len(row) == 2 for row in rows)
    ends = sum(b"\n" in (value or b"") for row in rows for value in row)
    joined = sum((value or b"").count(b"\n") for row in rows for value in row) if ends else 0
    assert len(rows) + len(broken) + joined >= 0
    assert sum(text.count(b"\n") + 1 for text in broken) + len(rows) + joined == len(lines)
