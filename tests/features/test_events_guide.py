"""docs/events.md says what the code does."""

import re
import tomllib
from pathlib import Path

import pytest

from features.checks import EVENT_TYPES, REASONS
from features.cleaning import DROPS, CleaningRules
from features.events import EVENT_SCHEMA
from features.ga4 import EVENT_NAMES
from features.mapping_file import JSON_FIELDS, TEXT_FIELDS, TIME_FIELDS, TIME_UNITS, parse_mapping

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "events.md").read_text()


def first_cells(heading: str) -> list[str]:
    """The code in the first column of the table below a heading."""
    section = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


def test_every_reason_is_explained_in_order():
    assert tuple(first_cells("Dead letters")) == REASONS
    assert tuple(first_cells("Cleaning")) == DROPS


@pytest.mark.parametrize(
    "word", [*EVENT_SCHEMA.names, *EVENT_TYPES, *TEXT_FIELDS, *TIME_FIELDS, *JSON_FIELDS, *TIME_UNITS]
)
def test_every_word_is_there(word: str):
    assert re.search(rf"[`\[{{]{word}[`\]]", GUIDE)


def test_every_rule_with_a_list_is_named():
    lists = [name for name, value in vars(CleaningRules()).items() if value == ()]
    assert lists
    assert all(f"`{name}`" in GUIDE for name in lists)


def test_every_name_of_ga4_is_in_the_table():
    for name, event in EVENT_NAMES.items():
        assert re.search(rf"`{name}`[^|]*\| {event} ", GUIDE), name


def test_the_mapping_shown_is_the_example():
    (shown,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    given = tomllib.loads(shown)
    assert parse_mapping(given, "retailrocket.toml")
    assert given == tomllib.loads((ROOT / "examples" / "retailrocket.toml").read_text())
