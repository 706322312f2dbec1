"""Forms as clients send them, and what is none; what Accept likes best."""

from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.attention.query import HEATMAP_TYPES, chosen_format
from serving.errors import ProblemError
from serving.multipart import MOST_PARTS, read_form

BOUNDARY = "multipart/form-data; boundary=b"


def encoded(parts: dict[str, bytes]) -> tuple[bytes, str]:
    """Encodes a form as an independent client does."""
    request = httpx.Request("POST", "http://x", files={name: ("f.png", data) for name, data in parts.items()})
    return request.read(), request.headers["Content-Type"]


_NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@given(st.dictionaries(_NAMES, st.binary(), min_size=1, max_size=MOST_PARTS))
def test_what_a_client_encodes_is_read_again(parts: dict[str, bytes]) -> None:
    assert read_form(*encoded(parts)) == {name[:64]: data for name, data in parts.items()}


@given(st.binary())
def test_whatever_comes_is_a_form_or_a_problem(noise: bytes) -> None:
    for body in (noise, b"--b\r\n" + noise, b"--b\r\nContent-Disposition: " + noise + b"\r\n\r\nx\r\n--b--"):
        with suppress(ProblemError):
            read_form(body, BOUNDARY)


def test_line_feeds_inside_and_what_comes_after_are_no_part() -> None:
    part = b"--b\r\nContent-Disposition: form-data; name=image\r\n\r\n\r\n\n--b\r\r\n\r\n--b--"
    found = read_form(part + b"\r\nepilogue", 'multipart/form-data; charset=x; boundary="b"')
    assert found == {"image": b"\r\n\n--b\r\r\n"}


@pytest.mark.parametrize(
    ("body", "content_type", "detail"),
    [
        (b"", BOUNDARY, "it breaks off before its last boundary; send it whole"),
        (b"--b\r\n", BOUNDARY, "breaks off before its last boundary"),
        (b"x", "multipart/form-data", "names no boundary"),
        (b"x", "multipart/form-data; boundary=" + "b" * 71, "names no boundary"),
        (b"--b\r\n\r\nx\r\n--b--", BOUNDARY, "a part has no name"),
        (b"--b\r\nno headers\r\n--b--", BOUNDARY, "Found invalid character"),
        (b"--b\r\nX: " + b"y" * 5000 + b"\r\n\r\nx\r\n--b--", BOUNDARY, "Maximum header size exceeded"),
        (b"--bb\r\n\r\nx\r\n--b--", BOUNDARY, "Did not find CR at end of boundary"),
    ],
)
def test_what_is_no_form(body: bytes, content_type: str, detail: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read_form(body, content_type)
    assert (caught.value.status, caught.value.error) == (400, "bad_form")
    assert detail in caught.value.detail


def test_a_name_twice_and_too_many_parts() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n'
    with pytest.raises(ProblemError, match="part '1' comes twice"):
        read_form(part % 1 + part % 1 + b"--b--", BOUNDARY)
    with pytest.raises(ProblemError, match="more than 8 parts"):
        read_form(b"".join(part % number for number in range(9)) + b"--b--", BOUNDARY)
    with pytest.raises(ProblemError, match="more than 8 parts|breaks off"):
        read_form(b"".join(part % number for number in range(5000)) + b"--b--", BOUNDARY)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "overlay"),
        ("", "overlay"),
        ("*/*", "overlay"),
        ("image/*", "overlay"),
        ("image/avif,image/webp,*/*;q=0.8", "overlay"),
        ("application/json", "json"),
        ("application/json, image/png", "overlay"),  # both as much: the first form
        ("application/json;q=1.0, image/png;q=0.5", "json"),
        ("application/*;q=0.4, application/x-npy", "npy"),
        ("*/*;q=0.1, application/json", "json"),
        ("image/png;q=0, */*", "json"),
        ("application/json;q=nonsense, application/x-npy;q=0.1", "npy"),
    ],
)
def test_what_is_liked_best(accept: str | None, form: str) -> None:
    assert chosen_format(None, accept, HEATMAP_TYPES) == form
    assert chosen_format("map", accept, HEATMAP_TYPES) == "map"


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "nonsense", ";;,,"])
def test_what_likes_none_of_them(accept: str) -> None:
    with pytest.raises(ProblemError, match="406 not_acceptable: Accept takes none of image/png, application/json"):
        chosen_format(None, accept, HEATMAP_TYPES)
