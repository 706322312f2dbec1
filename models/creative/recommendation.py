"""Which version of a product photo to use in a campaign, and which photos of the catalogue would do better.

No torch, no training code: the service, the command and a notebook recommend with this.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from features.creative_spec import CATEGORICAL
from features.errors import AuguryError
from features.images import ImageLimits, Pixels, decode_image
from features.storage import read_bytes
from features.variants_stored import make_variants
from models.creative.brand_rules import BrandRules
from models.creative.catalogue import Catalogue
from models.creative.estimates import Estimates
from models.creative.predictor import CreativeModel
from models.creative.recognizer import Vectors
from models.creative.sameness import Sameness
from models.creative.verdicts import Best, Rate, best_of, rates_of

MOST_ALTERNATES = 100
MOST_CHARACTERS = 200

FORBIDDEN, ANOTHER_PRODUCT = "forbidden_for_brand", "another_product"
"""Why a version is not recommended: a brand rule, or the recogniser does not take it for the same product any more."""

NO_RULES = BrandRules()

_LIMITS = ImageLimits()
_SAME_PHOTO = 0.9999
_SPARE = 8
_SHOWN_VALUES = 20


class RecommendationError(AuguryError, ValueError):
    """A question that cannot be answered."""


@dataclass(frozen=True)
class Asked:
    """What is wanted of a photo; text that is "" is unknown.

    Attributes:
        target: that is predicted.
        campaign_type: of the campaign.
        industry: of it.
        shoe_type: the kind of product.
        brand: of the product.
        gender: that it is for.
        product: in the catalogue, not to be among the alternates.
        alternates: most photos of the catalogue to compare with.
    """

    target: str
    campaign_type: str = ""
    industry: str = ""
    shoe_type: str = ""
    brand: str = ""
    gender: str = ""
    product: str = ""
    alternates: int = 20

    def __post_init__(self) -> None:
        for name in ("target", "campaign_type", "industry", "shoe_type", "brand", "gender", "product"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
                raise RecommendationError(f"{name} is {str(value)[:50]!r}; expected up to {MOST_CHARACTERS} characters")
        if isinstance(self.alternates, bool) or not isinstance(self.alternates, int):
            raise RecommendationError(f"alternates is {self.alternates!r}; expected a whole number")
        if not 0 <= self.alternates <= MOST_ALTERNATES:
            raise RecommendationError(f"alternates is {self.alternates}; expected 0 to {MOST_ALTERNATES}")

    @property
    def categories(self) -> dict[str, str]:
        """The values by the spec's names of the categories."""
        return {name: self.shoe_type if name == "kind" else getattr(self, name) for name in CATEGORICAL}


@dataclass(frozen=True, eq=False)
class Version:
    """A variant of the photo.

    Attributes:
        name: of the variant.
        rate: predicted, with its difference from the photo as it is.
        distance: from the photo, 0 for the same product to 2; see ``models.creative.sameness``.
        limit: up to which it may be recommended.
        ruled_out: why it may not be, ``FORBIDDEN`` and ``ANOTHER_PRODUCT``.
    """

    name: str
    rate: Rate
    distance: float
    limit: float
    ruled_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Alternate:
    """Another product's photo.

    Attributes:
        product: its name for programs.
        about: kind, brand, gender and name.
        alike: cosine of the embeddings, 1 for the same look.
        thumbnail: the photo, a JPEG of the stored size.
        rate: predicted for it in the same campaign, with its difference from the photo as it is.
    """

    product: str
    about: Mapping[str, str]
    alike: float
    thumbnail: bytes
    rate: Rate


@dataclass(frozen=True, eq=False)
class Recommendation:
    """The answer.

    Attributes:
        target: that was predicted.
        less_is_better: whether the best is the lowest.
        confidence: of the intervals, each for itself.
        given: the photo as it is: its rate.
        variants: all of them, the photo as it is among them, in the order of the spec.
        best_variant: of those that may be recommended.
        alternates: most alike first.
        best_alternate: None where there are no alternates.
        known: category that was asked about -> whether the model has seen that value.
        notes: what was asked and could not be taken into account, for people.
        simulated: whether the model learnt from simulated conversions.
        image: uint8 (H, W, 3), the photo.
    """

    target: str
    less_is_better: bool
    confidence: float
    given: Rate
    variants: tuple[Version, ...]
    best_variant: Best
    alternates: tuple[Alternate, ...]
    best_alternate: Best | None
    known: Mapping[str, bool]
    notes: tuple[str, ...]
    simulated: bool
    image: Pixels


class Recommender:
    """A loaded artifact that recommends; safe to call from several threads.

    Attributes:
        model: that predicts.
        catalogue: that alternates come from.
    """

    def __init__(
        self,
        model: CreativeModel,
        catalogue: Catalogue,
        sameness: Sameness,
        rules: BrandRules = NO_RULES,
        max_distance: float | None = None,
        simulated: bool = False,
    ) -> None:
        """Refuses rules that do not fit.

        Args:
            model: that predicts.
            catalogue: products to take alternates from.
            sameness: how far a version may be from its photo.
            rules: of brands.
            max_distance: in place of the limits that training measured, for every variant.
            simulated: whether the model learnt from simulated conversions.

        Raises:
            BrandRuleError: the rules name a variant that the model does not have.
            RecommendationError: an impossible distance.
        """
        rules.check(model.spec)
        if max_distance is not None:
            if not 0 < max_distance <= 2:
                raise RecommendationError(f"max_distance is {max_distance!r}; expected more than 0, at most 2")
            sameness = replace(sameness, limits=np.full(len(sameness.limits), float(max_distance)))
        self.model, self.catalogue, self.simulated = model, catalogue, simulated
        self._sameness, self._rules = sameness, rules

    @classmethod
    def load(
        cls,
        folder: str | Path,
        rules: BrandRules = NO_RULES,
        max_distance: float | None = None,
        *,
        threads: int = 0,
    ) -> "Recommender":
        """Loads an artifact.

        Args:
            folder: of the artifact, local.
            rules: of brands.
            max_distance: as of the class.
            threads: of one call of the recogniser; 0 is as many as there are processors.

        Raises:
            PredictorError, StorageError: a part is damaged or missing.
            BrandRuleError, RecommendationError: as of the class.
        """
        model = CreativeModel.load(folder, threads=threads)
        sameness = Sameness.load(folder, model.spec, model.recognizer.dimension)
        card = orjson.loads(read_bytes(Path(folder) / "model_card.json"))
        simulated = bool(card.get("simulated"))
        return cls(model, Catalogue.load(folder), sameness, rules, max_distance, simulated)

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """What may be chosen: targets, and the values of each category that the model knows."""
        return {"target": self.model.targets, **self.model.inputs.categories}

    def recommend(
        self, image: Pixels, asked: Asked, image_id: str = "", check: Callable[[], None] = lambda: None
    ) -> Recommendation:
        """Returns what is to be said of a photo in a campaign; the same for the same arguments.

        Args:
            image: uint8 (H, W, 3), RGB, of any size.
            asked: what is wanted.
            image_id: SHA-256 of the photo's file, which is not to be among the alternates.
            check: called between the steps; may raise.

        Raises:
            RecommendationError: the target is not predicted.
            VariantError: a variant that another package made returned something that is no image.
        """
        model = self.model
        if asked.target not in model.targets:
            raise RecommendationError(
                f"target {asked.target[:50]!r} is not predicted; expected one of {', '.join(model.targets)}"
            )
        vectors = model.embed(np.stack(make_variants(image, model.spec)))
        check()
        known, notes = self._understood(asked)
        places, alike = self._alternates(vectors, asked, image_id, notes)
        others = self.catalogue.take(places)
        check()
        both = Vectors(*(np.concatenate(pair) for pair in zip(vectors, others.vectors, strict=True)))
        campaigns = self._campaigns(asked, len(vectors.logits), others)
        found = model.probabilities(both, campaigns, [asked.target]).estimates[asked.target]
        return self._said(image, asked, found, vectors, others, alike, known, notes)

    def _understood(self, asked: Asked) -> tuple[dict[str, bool], list[str]]:
        known, notes = {}, []
        for name, value in asked.categories.items():
            shown = "shoe_type" if name == "kind" else name
            values = self.model.inputs.categories.get(name)
            if not value:
                continue
            known[shown] = values is not None and value in values
            if values is None:
                notes.append(f"{shown} is not taken into account: the model was trained without it")
            elif value not in values:
                some = ", ".join(values[:_SHOWN_VALUES]) + (", ..." if len(values) > _SHOWN_VALUES else "")
                notes.append(f"{shown} {value[:50]!r} was never seen in training and counts as unknown; known: {some}")
        return known, notes

    def _alternates(
        self, vectors: Vectors, asked: Asked, image_id: str, notes: list[str]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        kind = asked.shoe_type or None
        if asked.alternates and kind is not None and kind not in self.catalogue.kinds:
            notes.append(f"the catalogue has no products of shoe_type {kind[:50]!r}; alternates are of any type")
            kind = None
        leave_out = tuple(name for name in (image_id, asked.product) if name)
        features = vectors.features[self._sameness.original]
        places, alike = self.catalogue.nearest(features, asked.alternates + _SPARE, kind, leave_out)
        other = alike < _SAME_PHOTO
        return places[other][: asked.alternates], alike[other][: asked.alternates]

    def _campaigns(self, asked: Asked, variants: int, others: Catalogue) -> dict[str, Sequence[str | None]]:
        """Returns the category values of the photo's versions, then of the alternates: a product keeps its own."""
        campaigns: dict[str, Sequence[str | None]] = {}
        for name in self.model.inputs.categories:
            value = asked.categories[name]
            own = name in others.table.column_names
            campaigns[name] = [value] * variants + (
                others.table.column(name).to_pylist() if own else [value] * len(others)
            )
        return campaigns

    def _said(
        self,
        image: Pixels,
        asked: Asked,
        found: Estimates,
        vectors: Vectors,
        others: Catalogue,
        alike: npt.NDArray[np.float64],
        known: Mapping[str, bool],
        notes: Sequence[str],
    ) -> Recommendation:
        spec, original = self.model.spec, self._sameness.original
        less = spec.target(asked.target).less_is_better
        rates = rates_of(found, original, less)
        distances, forbidden = self._sameness.distances(vectors.features), self._rules.of(asked.brand)
        versions = []
        for place, name in enumerate(spec.variant_names):
            distance, limit = float(distances[place]), float(self._sameness.limits[place])
            reasons = [FORBIDDEN] * (name in forbidden) + [ANOTHER_PRODUCT] * (place != original and distance > limit)
            versions.append(Version(name, rates[place], distance, limit, tuple(reasons)))
        count = len(versions)
        allowed = [original, *(n for n, each in enumerate(versions) if n != original and not each.ruled_out)]
        rows = others.table.select(["product", "kind", "brand", "gender", "name", "thumbnail"]).to_pylist()
        alternates = tuple(
            Alternate(row.pop("product"), row, float(near), row.pop("thumbnail"), rate)
            for row, near, rate in zip(rows, alike, rates[count:], strict=True)
        )
        names = [*spec.variant_names, *(each.product for each in alternates)]
        behind = range(count, len(names))
        return Recommendation(
            target=asked.target,
            less_is_better=less,
            confidence=float(self.model.description["confidence"]),
            given=rates[original],
            variants=tuple(versions),
            best_variant=best_of(found, allowed, names, original, less),
            alternates=alternates,
            best_alternate=best_of(found, behind, names, original, less) if alternates else None,
            known=dict(known),
            notes=tuple(notes),
            simulated=self.simulated,
            image=image,
        )


def make_prediction_recommendation(
    image: bytes | str | Path | Pixels,
    target: str,
    campaign_type: str = "",
    industry: str = "",
    shoe_type: str = "",
    *,
    model: Recommender | str | Path,
    limits: ImageLimits = _LIMITS,
    **other: Any,
) -> Recommendation:
    """Predicts how a product photo, its variants and photos like it would convert, and recommends the best.

    Args:
        image: a JPEG, PNG, WebP, GIF or BMP as bytes or by its path, or pixels, uint8 (H, W, 3).
        target: that is predicted, such as "click_through".
        campaign_type: of the campaign; "" is unknown, here and below.
        industry: of it.
        shoe_type: the kind of product.
        model: a loaded ``Recommender``, or the local folder of an artifact.
        limits: on the image.
        **other: further fields of ``Asked``: brand, gender, product, alternates.

    Raises:
        RecommendationError: the target is not predicted, or something asked cannot be.
        ImageError: the image cannot be decoded.
        StorageError, PredictorError: the image or the artifact cannot be read.
    """
    unknown = other.keys() - Asked.__dataclass_fields__.keys()
    if unknown:
        raise RecommendationError(f"unknown argument {min(unknown)!r}; expected brand, gender, product or alternates")
    asked = Asked(target, campaign_type, industry, shoe_type, **other)
    recommender = model if isinstance(model, Recommender) else Recommender.load(model)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise RecommendationError(f"the image is {image.dtype} {image.shape}; expected uint8 (H, W, 3)")
        return recommender.recommend(image, asked)
    data = image if isinstance(image, bytes) else read_bytes(str(image))
    return recommender.recommend(decode_image(data, limits), asked, hashlib.sha256(data).hexdigest())
