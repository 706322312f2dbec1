"""AttentionSpec: its JSON, its fingerprint and what it refuses."""

import hashlib
import json
from typing import Any

import pytest

from features.attention_spec import DEFAULT_MERGE, METHODS, AttentionSpec
from features.strict import FeatureSpecError


def test_a_spec_survives_its_json() -> None:
    spec = AttentionSpec(width=64, height=48, sets=("osie", "salicon"), set_sigma_px={"salicon": 19})
    again = AttentionSpec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.to_json() == spec.to_json()


def test_the_fingerprint_is_that_of_the_compact_json_with_sorted_keys() -> None:
    spec = AttentionSpec(sets=("osie",))
    plain = json.loads(spec.to_json())
    found = plain.pop("fingerprint")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert found == spec.fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_every_value_changes_the_fingerprint() -> None:
    changes: list[dict[str, Any]] = [
        {"width": 321},
        {"height": 241},
        {"sigma_px": 25},
        {"merge": {"eye": 1.0}},
        {"merge_splits": ()},
        {"resample_by": "distance"},
        {"resample_step": 10},
        {"sets": ("osie",)},
        {"image_format": "png"},
        {"jpeg_quality": 90},
    ]
    assert len({AttentionSpec(**change).fingerprint for change in [{}, *changes]}) == len(changes) + 1


def test_the_order_of_weights_and_their_kind_of_number_make_no_difference() -> None:
    assert AttentionSpec(merge={"mask": 1, "eye": 2}) == AttentionSpec(merge={"eye": 2.0, "mask": 1.0})
    assert set(DEFAULT_MERGE) == set(METHODS)


def test_a_set_has_its_number_and_its_sigma() -> None:
    spec = AttentionSpec(sigma_px=24, sets=("a", "b"), set_sigma_px={"b": 30})
    assert (spec.sigma_of("a"), spec.sigma_of("b")) == (24.0, 30.0)
    assert (spec.set_number("a"), spec.set_number("b")) == (0, 1)
    with pytest.raises(FeatureSpecError, match="set: 'c' is unknown; expected one of a, b"):
        spec.set_number("c")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 7}, "width: 7 is not possible; expected an integer from 8 to 8192"),
        ({"height": 12.0}, "height: 12.0 is not possible"),
        ({"sigma_px": 0}, "sigma_px: 0 is not possible; expected a finite number greater than 0"),
        ({"sigma_px": float("nan")}, "sigma_px: nan is not possible"),
        ({"merge": {"ear": 1}}, "merge: 'ear' is unknown; expected one of eye, mouse_samples, clicks, mask"),
        ({"merge": {"eye": -1}}, "merge.eye: -1 is not possible"),
        ({"merge_splits": ("all",)}, "merge_splits: 'all' is unknown; expected one of train, validation, test"),
        ({"merge": 3}, "merge: 3 is not possible; expected an object of numbers by name"),
        ({"set_sigma_px": {"x": 3}}, "set_sigma_px: 'x' is unknown"),
        ({"sets": ("a", "a")}, "sets: 'a' is there twice"),
        ({"image_format": "gif"}, "image_format: 'gif' is unknown; expected one of jpeg, png"),
        ({"resample_by": "luck"}, "resample_by: 'luck' is unknown; expected one of time, distance, none"),
        ({"jpeg_quality": 0}, "jpeg_quality: 0 is not possible"),
        ({"version": 2}, "version: 2 is not the 1 that this code computes"),
    ],
)
def test_impossible_values_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureSpecError, match=message):
        AttentionSpec(**given)


def test_a_text_that_is_no_spec_is_refused() -> None:
    with pytest.raises(FeatureSpecError, match="attention spec is not JSON"):
        AttentionSpec.from_json("{")
    with pytest.raises(FeatureSpecError, match="attention spec: unknown key 'depth'"):
        AttentionSpec.from_json('{"depth": 3}')
    edited = AttentionSpec().to_json().replace('"width": 320', '"width": 640')
    with pytest.raises(FeatureSpecError, match="it was edited: write the examples again"):
        AttentionSpec.from_json(edited)
