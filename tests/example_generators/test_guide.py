"""The guide is run as it stands: its code works, prints what it says, and its template is the one that ships."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from example_generators.base import ExampleGenerator
from example_generators.catalogue import generator_names, load_generator

GUIDE = (Path(__file__).parents[2] / "docs" / "example-generators.md").read_text()


@pytest.fixture(scope="module")
def said():
    """Runs the guide's blocks in order, in one namespace; returns it and (printed, promised) of each block."""
    namespace, outputs = {}, []
    for code, promised in re.findall(r"```python\n(.*?)```\n(?:```output\n(.*?)```)?", GUIDE, re.DOTALL):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/example-generators.md", "exec"), namespace)
        outputs.append((printed.getvalue(), promised))
    return namespace, outputs


def test_every_block_prints_what_the_guide_says(said):
    _, outputs = said
    assert len(outputs) == 6
    for printed, promised in outputs:
        assert printed == promised


def test_the_guides_template_is_the_shipped_one(said, any_sessions):
    guides, shipped = said[0]["Template"](), load_generator("template")

    @given(sessions=any_sessions)
    @settings(max_examples=30, deadline=None)
    def same(sessions):
        expected, found = ExampleGenerator.slices_of(guides, sessions), shipped.slices_of(sessions)
        for column in ("session", "start", "end", "label"):
            assert np.array_equal(getattr(expected, column), getattr(found, column))

    same()
    assert guides.__doc__ == shipped.__doc__


def test_the_template_takes_under_ten_lines():
    [template] = re.findall(r"(@dataclass\(frozen=True\)\nclass Template.*?)```", GUIDE, re.DOTALL)
    assert len([line for line in template.splitlines() if line.strip()]) < 10


def test_the_guide_lists_every_generator():
    table = re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(table) == list(generator_names())
