"""Cleaning rules from a TOML file."""

import tomllib

from features.cleaning import CleaningError, CleaningRules
from features.storage import StoragePath, read_text


def read_cleaning_rules(path: StoragePath | None) -> CleaningRules:
    """Returns the rules that a file holds, or the usual ones where there is none.

    Raises:
        CleaningError: it is not TOML, or a rule in it does not exist or cannot be followed.
        StorageError: it cannot be read.
    """
    if path is None:
        return CleaningRules()
    try:
        return CleaningRules.from_dict(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as e:
        raise CleaningError(f"cleaning {path} is not TOML ({e}); see docs/events.md for the rules") from e
