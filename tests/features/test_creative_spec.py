"""The creative spec: JSON there and back, what its fingerprint depends on, and what it refuses."""

from typing import Any

import orjson
import pytest

from features.creative_spec import DEFAULT_TARGETS, CreativeSpec, Target, VariantSpec
from features.strict import FeatureSpecError
from features.variants import Brighter, VariantError


def test_the_default_has_six_variants_and_four_targets() -> None:
    spec = CreativeSpec()
    assert spec.variant_names == ("original", "brighter", "darker", "rotated", "sketch", "swivel")
    assert spec.makers[1] == Brighter()
    assert [(target.name, target.less_is_better) for target in spec.targets] == [
        ("open_rate", False),
        ("click_through", False),
        ("abandoned_cart", True),
        ("unsubscribed", True),
    ]
    assert spec.target("abandoned_cart").among == "clicked"
    with pytest.raises(FeatureSpecError, match="^target: 'clicks' is unknown; expected one of open_rate, "):
        spec.target("clicks")


def test_it_comes_back_from_its_json() -> None:
    brightest = VariantSpec("brightest", "brighter", {"stops": 2})
    spec = CreativeSpec(
        width=96,
        height=96,
        variants=(VariantSpec("original"), brightest),
        targets=(Target("opened_any", "opened", "sent"),),
        categorical=("brand",),
        image_format="jpeg",
    )
    again = CreativeSpec.from_json(spec.to_json())
    assert again == spec and hash(again) == hash(spec)
    assert orjson.loads(spec.to_json())["variants"][1] == {
        "name": "brightest",
        "of": "brighter",
        "params": {"black": 0.2, "stops": 2.0, "white": 1.0},
    }
    assert CreativeSpec.from_json("{}") == CreativeSpec()


def test_parameters_are_in_the_fingerprint_named_or_not() -> None:
    same = CreativeSpec(variants=(VariantSpec("original"), VariantSpec("swivel", params={"degrees": 30})))
    also = CreativeSpec(variants=(VariantSpec("original"), VariantSpec("swivel", "swivel", {"distance": 1.5})))
    other = CreativeSpec(variants=(VariantSpec("original"), VariantSpec("swivel", params={"degrees": 31})))
    assert same.fingerprint == also.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"width": 8}, FeatureSpecError, "width: 8 is not possible; expected an integer from 16 to 2048"),
        ({"width": 96}, FeatureSpecError, "height: 128 is not the width 96; expected a square"),
        ({"image_format": "gif"}, FeatureSpecError, "image_format: 'gif' is unknown; expected one of png, jpeg"),
        ({"version": 0}, FeatureSpecError, "version: 0 is not the 1 that this code computes"),
        ({"variants": "all"}, FeatureSpecError, "variants: 'all' is not possible; expected a list of objects"),
        (
            {"variants": [{"name": "original"}]},
            FeatureSpecError,
            "expected at least two, one of them made by 'original'",
        ),
        ({"variants": [{"name": "sketch"}, {"name": "darker"}]}, FeatureSpecError, "one of them made by 'original'"),
        ({"variants": [{"name": "original"}] * 2}, FeatureSpecError, "variants names: 'original' is there twice"),
        ({"variants": [{"name": "Big one"}]}, FeatureSpecError, "variants: name 'Big one' is not possible"),
        ({"variants": [{"name": "x", "of": 3}]}, FeatureSpecError, "variants.x: of is a name and params an object"),
        ({"variants": [{"name": "x"}]}, VariantError, "no variant is called 'x'"),
        ({"variants": [{"name": "swivel", "params": {"degrees": "far"}}]}, VariantError, "'far'; expected float"),
        ({"targets": []}, FeatureSpecError, "targets: there is none; name at least one"),
        (
            {"targets": [{"name": "a", "count": "seen", "among": "sent"}]},
            FeatureSpecError,
            "a.count: 'seen' is unknown",
        ),
        (
            {"targets": [{"name": "a", "count": "sent", "among": "sent"}]},
            FeatureSpecError,
            "'sent' among itself is always 1",
        ),
        ({"targets": [{"name": "A", "count": "opened", "among": "sent"}]}, FeatureSpecError, "targets: name 'A'"),
        (
            {"categorical": ["price"]},
            FeatureSpecError,
            "categorical: 'price' is unknown; expected one of campaign_type",
        ),
        ({"colour": 1}, FeatureSpecError, "creative spec: unknown key 'colour'"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CreativeSpec.from_json(orjson.dumps(change))


def test_an_edited_spec_is_refused() -> None:
    text = CreativeSpec().to_json().replace('"jpeg_quality": 95', '"jpeg_quality": 90')
    with pytest.raises(FeatureSpecError, match="it was edited: write the examples again"):
        CreativeSpec.from_json(text)


def test_less_is_better_is_a_truth_value() -> None:
    with pytest.raises(FeatureSpecError, match="targets.a.less_is_better: expected true or false"):
        Target("a", "opened", "sent", less_is_better=1)  # type: ignore[arg-type]
    assert all(target.among in ("sent", "clicked") for target in DEFAULT_TARGETS)
