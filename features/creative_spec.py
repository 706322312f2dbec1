"""CreativeSpec: what a stored photo, its variants and the targets are; one contract for all who use the examples."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from features.creative_names import DEFAULT_VARIANTS
from features.fields import Tensor
from features.fingerprinted import FingerprintedSpec
from features.strict import FeatureSpecError, known_keys, one_of, texts, whole
from features.variants import Variant, load_variant, variant_params

SPEC = "creative_spec.json"
"""The file of a data set, and of an artifact, that holds the spec."""

COUNTS = ("sent", "opened", "clicked", "abandoned", "unsubscribed")
"""What is counted of one variant of a product in one campaign: messages sent, opened and clicked, carts abandoned by
those who clicked, and unsubscriptions."""

CATEGORICAL = ("campaign_type", "industry", "brand", "gender", "kind")
"""The categories that conversion may depend on; ``kind`` is the kind of product, such as the shoe type."""


@dataclass(frozen=True)
class VariantSpec:
    """One variant of every photo.

    Attributes:
        name: lower-case letters, digits and ``_``.
        of: what makes it, a name that ``features.variants.load_variant`` knows; ``name`` itself where empty.
        params: its parameters; those left out are filled in with their defaults, so that the spec fixes them all.
    """

    name: str
    of: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.name):
            raise FeatureSpecError(
                f"variants: name {self.name!r} is not possible; expected up to 64 lower-case letters, digits and _"
            )
        if not isinstance(self.params, Mapping) or not isinstance(self.of, str):
            raise FeatureSpecError(f"variants.{self.name}: of is a name and params an object")
        object.__setattr__(self, "of", self.of or self.name)
        object.__setattr__(self, "params", dict(sorted(variant_params(load_variant(self.of, self.params)).items())))

    def make(self) -> Variant:
        """Returns what changes a photo."""
        return load_variant(self.of, self.params)


@dataclass(frozen=True)
class Target:
    """A rate that is predicted: how many of what.

    Attributes:
        name: of the target.
        count: what is counted, one of ``COUNTS``.
        among: out of what, one of ``COUNTS``.
        less_is_better: whether the best variant is the one with the least.
    """

    name: str
    count: str
    among: str
    less_is_better: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.name):
            raise FeatureSpecError(f"targets: name {self.name!r} is not possible; expected lower-case letters and _")
        one_of(f"targets.{self.name}.count", self.count, COUNTS)
        one_of(f"targets.{self.name}.among", self.among, COUNTS)
        if self.count == self.among:
            raise FeatureSpecError(f"targets.{self.name}: {self.count!r} among itself is always 1; name another")
        if not isinstance(self.less_is_better, bool):
            raise FeatureSpecError(f"targets.{self.name}.less_is_better: expected true or false")


DEFAULT_TARGETS = (
    Target("open_rate", "opened", "sent"),
    Target("click_through", "clicked", "sent"),
    Target("abandoned_cart", "abandoned", "clicked", less_is_better=True),
    Target("unsubscribed", "unsubscribed", "sent", less_is_better=True),
)


@dataclass(frozen=True)
class CreativeSpec(FingerprintedSpec):
    """Everything that decides a stored photo, and what is predicted of it.

    Attributes:
        width: of stored photos, pixels.
        height: of stored photos, pixels; equal to the width, so that a turned photo is as large as one that is not.
        variants: of every photo, in the order of the recogniser's outputs; one is made by ``original``.
        targets: what is predicted.
        categorical: categories that predictions may use.
        image_format: "png", which keeps what the service would compute, or "jpeg", which is a quarter of its size.
        jpeg_quality: 1 to 100, where they are JPEG.
        version: of the way photos and variants are computed.
    """

    what: ClassVar[str] = "creative spec"
    file: ClassVar[str] = SPEC
    code_version: ClassVar[int] = 1

    width: int = 128
    height: int = 128
    variants: tuple[VariantSpec, ...] = field(default_factory=lambda: tuple(map(VariantSpec, DEFAULT_VARIANTS)))
    targets: tuple[Target, ...] = DEFAULT_TARGETS
    categorical: tuple[str, ...] = CATEGORICAL
    image_format: str = "png"
    jpeg_quality: int = 95
    version: int = 1

    __hash__ = FingerprintedSpec.__hash__

    def __post_init__(self) -> None:
        self.check_version(self.version)
        for name in ("width", "height"):
            whole(name, getattr(self, name), 16, 2048)
        if self.width != self.height:
            raise FeatureSpecError(
                f"height: {self.height} is not the width {self.width}; expected a square, so that a turned photo fits"
            )
        whole("jpeg_quality", self.jpeg_quality, 1, 100)
        one_of("image_format", self.image_format, ("png", "jpeg"))
        for name in ("variants", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            texts(f"{name} names", [item.name for item in getattr(self, name)])
        if len(self.variants) < 2 or "original" not in {variant.of for variant in self.variants}:
            raise FeatureSpecError("variants: expected at least two, one of them made by 'original'")
        if not self.targets:
            raise FeatureSpecError("targets: there is none; name at least one")
        object.__setattr__(self, "categorical", texts("categorical", self.categorical))
        for name in self.categorical:
            one_of("categorical", name, CATEGORICAL)

    @property
    def variant_names(self) -> tuple[str, ...]:
        """The names of the variants, in the order of the recogniser's outputs."""
        return tuple(variant.name for variant in self.variants)

    @cached_property
    def makers(self) -> tuple[Variant, ...]:
        """What makes each variant, in the same order."""
        return tuple(variant.make() for variant in self.variants)

    def target(self, name: str) -> Target:
        """Returns the target of a name.

        Raises:
            FeatureSpecError: there is no such target.
        """
        one_of("target", name, tuple(target.name for target in self.targets))
        return next(target for target in self.targets if target.name == name)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the features of an example by name; docs/creative-examples.md says what each is."""
        names = ("image/encoded", "image/id", "variant", "product", "kind", "brand", "gender", "name", "split")
        return {name: Tensor("fixed", "bytes", ()) for name in names}

    def plain(self) -> dict[str, Any]:
        """Returns what JSON holds."""
        parts = {name: [asdict(item) for item in getattr(self, name)] for name in ("variants", "targets")}
        return {**super().plain(), **parts}

    @classmethod
    def fields_of(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the class of what JSON held."""
        found = dict(given)
        for name, part in (("variants", VariantSpec), ("targets", Target)):
            if name in found:
                if not isinstance(found[name], list):
                    raise FeatureSpecError(f"{name}: {found[name]!r} is not possible; expected a list of objects")
                found[name] = tuple(part(**known_keys(part, item, name)) for item in found[name])
        return found
