"""What a model card of the attention family says to those who answer with the model."""

import json
from pathlib import Path
from typing import Any

from features.storage import read_bytes
from models.attention.predictor import PredictorError

CARD_FILE = "model_card.json"

_MOST_FIXATIONS = 100_000


def measured_fixations(folder: str | Path) -> int | None:
    """Returns the model's number of effective fixations, which training measured; None where its card has none.

    Raises:
        PredictorError: the card is none, or the number cannot be.
        StorageError: there is no card.
    """
    where = f"{folder}/{CARD_FILE}"
    try:
        regions: Any = json.loads(read_bytes(where)).get("regions")
        found = None if regions is None else regions["effective_fixations"]
    except (ValueError, AttributeError) as e:
        raise PredictorError(f"{where} holds no JSON object ({e}); open the version again, or train again") from e
    except (KeyError, TypeError) as e:
        raise PredictorError(f"{where}: regions is {regions!r}; expected effective_fixations: train again") from e
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= _MOST_FIXATIONS:
        raise PredictorError(f"{where}: effective_fixations is {found!r}; expected 1 to {_MOST_FIXATIONS}: train again")
    return found
