"""One version of a creative model, loaded to recommend, and tried out before it may.

ONNX Runtime and XGBoost are imported here alone, and only when a model is loaded.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.cards import ModelError, read_json
from serving.models import Family

if TYPE_CHECKING:
    from models.creative.brand_rules import BrandRules
    from models.creative.recommendation import Recommender

FAMILY = "creative"

_SPOT_CHECK = 4
_CARD_FILE = "model_card.json"


@dataclass(frozen=True, eq=False)
class CreativeVersion:
    """A version ready to recommend; safe to use from several threads.

    Attributes:
        name: of the model.
        version: of the model.
        recommender: its model, catalogue and guardrails.
        card: the model card.
        loaded_at_us: when.
    """

    name: str
    version: str
    recommender: "Recommender"
    card: Mapping[str, Any]
    loaded_at_us: int

    def described(self) -> dict[str, Any]:
        """See ``serving.models.Loaded``."""
        spec = self.recommender.model.spec
        return {
            "width": spec.width,
            "height": spec.height,
            "targets": list(self.recommender.model.targets),
            "variants": list(spec.variant_names),
            "categories": {name: list(values) for name, values in self.recommender.model.inputs.categories.items()},
            "catalogue": len(self.recommender.catalogue),
            "simulated": self.recommender.simulated,
            "metrics": dict(self.card.get("metrics") or {}),
        }


class CreativeLoader:
    """Loads versions with the rules and limits of this service.

    Attributes:
        refused: why versions were refused because of the rules of brands.
    """

    def __init__(self, rules: "BrandRules", max_distance: float | None, threads: int) -> None:
        """Loads nothing yet.

        Args:
            rules: of brands.
            max_distance: as of ``models.creative.recommendation.Recommender``.
            threads: that one call of a recogniser may use; the bits of an answer do not depend on it.
        """
        self._rules, self._max_distance, self._threads = rules, max_distance, threads
        self.refused: list[str] = []

    @property
    def family(self) -> Family[CreativeVersion]:
        """The family, for a shelf."""
        return Family(FAMILY, self.load, spot_check)

    def load(self, folder: Path, name: str, version: str) -> CreativeVersion:
        """Loads a version, its files just verified.

        Raises:
            AuguryError: its files are not a model, or the rules name what it does not have.
        """
        from models.creative.brand_rules import BrandRuleError
        from models.creative.recommendation import Recommender

        try:
            recommender = Recommender.load(folder, self._rules, self._max_distance, threads=self._threads)
        except BrandRuleError as e:
            self.refused.append(f"{name} {version}: {e}")
            raise
        return CreativeVersion(name, version, recommender, read_json(folder / _CARD_FILE), time.time_ns() // 1000)


def spot_check(model: CreativeVersion, folder: Path) -> None:
    """Has a model answer about some photos of its golden set as it will be asked to.

    Raises:
        ModelError: a rate is another than training computed.
        GoldenError: there is no golden set.
        ImageError: a photo of it cannot be decoded.
    """
    from models.creative.conversion.golden import answer, read, same

    asked = model.recommender.model
    photos = read(folder, asked)[:_SPOT_CHECK]
    wrong = sum(not same(photo, answer(asked, photo.encoded, photo.campaign)) for photo in photos)
    if wrong:
        raise ModelError(
            f"{model.name} {model.version} gives other rates than training computed of {wrong} of {len(photos)} golden "
            "photos; train again with this release"
        )
