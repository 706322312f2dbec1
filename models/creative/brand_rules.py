"""What a brand does not want to be done to its photos: variants that are never recommended for it."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from features.creative_spec import CreativeSpec
from features.errors import AuguryError
from features.storage import read_text

EVERY_BRAND = "*"
_MOST_BYTES = 1 << 20


class BrandRuleError(AuguryError, ValueError):
    """Rules that cannot be read, or forbid what there is not."""


@dataclass(frozen=True)
class BrandRules:
    """Forbidden variants by brand; ``*`` stands for every brand, known or not.

    Attributes:
        forbidden: brand, without regard to case, to the names of variants.
    """

    forbidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> "BrandRules":
        """Reads a TOML or JSON file: brand to a list of variants, ``Aster = ["sketch"]``.

        Raises:
            BrandRuleError: it is neither, too large, or something else than lists of names by brand.
            StorageError: it cannot be read.
        """
        text, json = read_text(str(path)), str(path).lower().endswith(".json")
        if len(text) > _MOST_BYTES:
            raise BrandRuleError(f"{path} has more than {_MOST_BYTES} characters; name fewer brands")
        try:
            given = orjson.loads(text) if json else tomllib.loads(text)
        except ValueError as e:
            raise BrandRuleError(f"{path} is no {'JSON' if json else 'TOML'} ({' '.join(str(e).split())})") from e
        if not isinstance(given, dict):
            raise BrandRuleError(f'{path} holds {type(given).__name__}; expected brands: {{"Aster": ["sketch"]}}')
        found: dict[str, tuple[str, ...]] = {}
        for brand, names in given.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise BrandRuleError(f'{path}: {brand!r} has {names!r}; expected a list of variants such as ["sketch"]')
            if _key(brand) in found or not _key(brand):
                raise BrandRuleError(f"{path}: brand {brand!r} is empty or there twice; give one list for each")
            found[_key(brand)] = tuple(names)
        return cls(found)

    def check(self, spec: CreativeSpec) -> None:
        """Refuses rules that would silently do nothing.

        Raises:
            BrandRuleError: a variant is not one of the spec's, or is the photo as it is, which nobody has to use.
        """
        known = [variant.name for variant in spec.variants if variant.of != "original"]
        for brand, names in self.forbidden.items():
            for name in names:
                if name not in known:
                    raise BrandRuleError(
                        f"brand rules: {brand!r} forbids {name!r}, which is no variant that could be recommended; "
                        f"expected some of {', '.join(known)}"
                    )

    def of(self, brand: str) -> frozenset[str]:
        """Returns what may not be recommended to a brand; "" is an unknown one."""
        lists: Iterable[tuple[str, ...]] = (self.forbidden.get(key, ()) for key in {EVERY_BRAND, _key(brand)})
        return frozenset(name for names in lists for name in names)


def _key(brand: str) -> str:
    return " ".join(brand.casefold().split())
