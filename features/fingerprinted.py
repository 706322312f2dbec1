"""What the specs of all families share: JSON that is always the same text, and a fingerprint of what it says."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any, ClassVar, Self

import orjson

from features.strict import FeatureSpecError, known_keys

DATASET_CARD = "dataset_card.json"
"""The file that makes a folder a data set, written last; an artifact has that of the data it was trained on."""


class FingerprintedSpec:
    """Base of the frozen dataclasses that are the contract between those who write, read and serve examples.

    A subclass has a field ``version`` and calls ``check_version``; as a dataclass makes a ``__hash__`` of its own, it
    says ``__hash__ = FingerprintedSpec.__hash__``. Where JSON and fields differ it overrides ``plain`` and
    ``fields_of``.

    Attributes:
        what: what the spec is called in messages.
        file: its name in a data set and in an artifact.
        code_version: raised when the same spec would give other numbers than before, so that old artifacts are refused.
    """

    what: ClassVar[str]
    file: ClassVar[str]
    code_version: ClassVar[int]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the compact JSON with sorted keys, without the fingerprint itself."""
        return hashlib.sha256(orjson.dumps(self.plain(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    def to_json(self) -> str:
        """Returns the spec and its fingerprint as JSON with sorted keys; the same spec gives the same text."""
        plain = {**self.plain(), "fingerprint": self.fingerprint}
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Returns the spec of a JSON text; keys left out have their default.

        Raises:
            FeatureSpecError: not JSON, an unknown key, an impossible value, or a fingerprint that is another's.
        """
        try:
            given = orjson.loads(text)
        except orjson.JSONDecodeError as e:
            raise FeatureSpecError(f"{cls.what} is not JSON ({e}); expected what {cls.__name__}.to_json wrote") from e
        spec = cls(**cls.fields_of(known_keys(cls, given, cls.what, extra=("fingerprint",))))
        if given.get("fingerprint", spec.fingerprint) != spec.fingerprint:
            raise FeatureSpecError(
                f"{cls.what} has fingerprint {given['fingerprint']!r} but its content gives {spec.fingerprint!r}; "
                "it was edited: write the examples again from a spec without 'fingerprint'"
            )
        return spec

    def plain(self) -> dict[str, Any]:
        """Returns what JSON holds: the fields by name, of types that JSON has."""
        return {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def fields_of(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the class of what JSON held; ``plain`` turned round."""
        return dict(given)

    def check_version(self, version: int) -> None:
        """Refuses a spec whose numbers were computed in another way.

        Raises:
            FeatureSpecError: ``version`` is not ``code_version``.
        """
        if version != self.code_version:
            raise FeatureSpecError(
                f"version: {version!r} is not the {self.code_version} that this code computes; write the examples again"
            )
