"""The diagrams: the committed pictures are those that are drawn, and what they say is true of the code."""

import xml.etree.ElementTree as ET

import pytest

from tests.test_architecture import LAYERS
from website.diagrams import ACROSS, DIAGRAMS, FOLDER, MARGIN, WIDTH, Box, Diagram, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_committed_picture_is_the_one_that_is_drawn(name: str) -> None:
    assert (FOLDER / f"{name}.svg").read_text() == svg(DIAGRAMS[name]), "python -m website.diagrams"


def test_no_picture_is_left_over() -> None:
    page = (FOLDER.parent / "architecture.md").read_text()
    assert {path.stem for path in FOLDER.glob("*.svg")} == DIAGRAMS.keys()
    assert all(f"(diagrams/{name}.svg)" in page for name in DIAGRAMS)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_boxes_do_not_lie_on_one_another_and_arrows_have_ends(name: str) -> None:
    diagram = DIAGRAMS[name]
    places = [(box.column, box.row) for box in diagram.boxes.values()]
    assert len(places) == len(set(places))
    assert {end for start, end, _ in diagram.arrows} | {start for start, _, _ in diagram.arrows} == diagram.boxes.keys()


def test_a_picture_has_words_and_says_what_its_boxes_say() -> None:
    tree = ET.fromstring(
        svg(Diagram("A < b", "in words", {"a": Box(0, 0, "one\ntwo"), "b": Box(1, 0, "x")}, [("a", "b", "so")]))
    )
    assert (tree.find(f"{SVG}title").text, tree.find(f"{SVG}desc").text) == ("A < b", "in words")
    assert [text.text for text in tree.iter(f"{SVG}text")] == ["so", "one", "two", "x"]
    line = next(path for path in tree.iter(f"{SVG}path") if path.get("marker-end"))
    assert line.get("d") == f"M{MARGIN + WIDTH} 41H{MARGIN + ACROSS}"


def test_the_picture_of_imports_is_true() -> None:
    diagram = DIAGRAMS["imports"]
    packages = {name: box.text.split("\n")[0] for name, box in diagram.boxes.items()}
    packages["generators"] = "example_generators"
    for start, end, _ in diagram.arrows:
        assert packages[end] in LAYERS[packages[start]]
