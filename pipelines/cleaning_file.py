"""Cleaning rules from a TOML file."""

import tomllib

from features.cleaning import CleaningError, CleaningRules
from features.storage import read_text


def read_cleaning_rules(path: str) -> CleaningRules:
    """Returns the rules that a file holds.

    Raises:
        CleaningError: it is not TOML, or a rule in it does not exist or cannot be followed.
        StorageError: it cannot be read.
    """
    try:
        return CleaningRules.from_dict(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as e:
        raise CleaningError(f"cleaning {path} is not TOML ({e}); see docs/events.md for the rules") from e
