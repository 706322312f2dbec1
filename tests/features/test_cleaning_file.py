"""Cleaning rules from a file."""

from pathlib import Path

import pytest

from features.cleaning import CleaningError, CleaningRules
from features.cleaning_file import read_cleaning_rules
from features.storage import StorageError


def test_a_file_gives_its_rules_and_none_the_usual_ones(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('drop_bots = false\ntest_hosts = ["staging.shop.example"]\n')
    expected = CleaningRules(drop_bots=False, test_hosts=("staging.shop.example",))
    assert read_cleaning_rules(tmp_path / "rules.toml") == expected
    assert read_cleaning_rules(None) == CleaningRules()


def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("drop_bots = ")
    with pytest.raises(CleaningError, match=r"cleaning .*rules\.toml is not TOML \(.*\); see docs/events\.md"):
        read_cleaning_rules(tmp_path / "rules.toml")
    with pytest.raises(StorageError, match=r"cannot read .*absent\.toml"):
        read_cleaning_rules(tmp_path / "absent.toml")
