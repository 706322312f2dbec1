"""FingerprintedSpec: the JSON and the fingerprints of specs that are in use stay what they are."""

import hashlib
from dataclasses import dataclass

import pytest

from features.attention_spec import AttentionSpec
from features.fingerprinted import FingerprintedSpec
from features.spec import FeatureSpec
from features.strict import FeatureSpecError


@dataclass(frozen=True)
class TeaSpec(FingerprintedSpec):
    minutes: float = 3.0
    leaves: tuple[str, ...] = ("black",)
    version: int = 1

    what = "tea spec"
    file = "tea_spec.json"
    code_version = 1

    def __post_init__(self) -> None:
        self.check_version(self.version)
        object.__setattr__(self, "leaves", tuple(self.leaves))

    __hash__ = FingerprintedSpec.__hash__


@pytest.mark.parametrize(
    ("spec", "fingerprint", "sha256_of_json"),
    [
        (
            FeatureSpec(begins_after=("x",)),
            "787615a87e324b159cee57113c3d1d59f4b53964216b65e4ea4d922a092366b3",
            "34fef6f54acbbb7cf078f7a7c07324fdca543f2c21b74bd69e59fb921b665d6d",
        ),
        (
            FeatureSpec(),
            "d3ee9c32ef48b7a7bc40bad183f4fdcc2f0854c90245fbbefafdbdf8756d9a30",
            "ddf67092e81f3aa143e029320f9d8848b8497ecc35cb0ab6921eaf15a7cb4e6c",
        ),
        (
            AttentionSpec(sets=("osie",)),
            "fa8bb17d0ae03e7c923c3547abb3e4ddff88fbe120090a68cf0049c8aee48082",
            "b39152223ee8d8ba10b22030907fd7c0841a2b08f756955e61774de55cd57abe",
        ),
    ],
)
def test_artifacts_that_are_in_use_keep_their_bytes(
    spec: FingerprintedSpec, fingerprint: str, sha256_of_json: str
) -> None:
    assert spec.fingerprint == fingerprint
    assert hashlib.sha256(spec.to_json().encode()).hexdigest() == sha256_of_json


def test_a_plain_dataclass_needs_no_more_than_its_names() -> None:
    spec = TeaSpec(minutes=4.0, leaves=("green", "white"))
    assert spec.to_json() == (
        "{\n"
        f'  "fingerprint": "{spec.fingerprint}",\n'
        '  "leaves": [\n    "green",\n    "white"\n  ],\n'
        '  "minutes": 4.0,\n'
        '  "version": 1\n'
        "}\n"
    )
    compact = b'{"leaves":["green","white"],"minutes":4.0,"version":1}'
    assert spec.fingerprint == hashlib.sha256(compact).hexdigest()
    assert TeaSpec.from_json(spec.to_json()) == spec
    assert hash(TeaSpec.from_json(spec.to_json())) == hash(spec) == hash(spec.fingerprint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"tea spec is not JSON \(.*\); expected what TeaSpec.to_json wrote"),
        ("3", r"tea spec: 3 is not an object; expected \{minutes, leaves, version\}"),
        ('{"sugar": 1}', "tea spec: unknown key 'sugar'"),
        ('{"version": 2}', "version: 2 is not the 1 that this code computes; write the examples again"),
        ('{"fingerprint": "ab"}', "tea spec has fingerprint 'ab' but its content gives .*; it was edited"),
    ],
)
def test_what_is_no_spec_is_refused(text: str, message: str) -> None:
    with pytest.raises(FeatureSpecError, match=message):
        TeaSpec.from_json(text)
