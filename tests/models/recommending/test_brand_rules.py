"""Which variants brands forbid, and what is refused before anything is recommended."""

import pytest

from features.creative_spec import CreativeSpec
from models.creative.brand_rules import BrandRuleError, BrandRules

SPEC = CreativeSpec()


def read(tmp_path, text, name="rules.toml"):
    (tmp_path / name).write_text(text)
    return BrandRules.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rules.toml", 'Aster = ["sketch", "rotated"]\n"*" = ["darker"]'),
        ("rules.json", '{"Aster": ["sketch", "rotated"], "*": ["darker"]}'),
    ],
)
def test_a_brand_is_found_whatever_its_case_and_the_star_is_for_all(tmp_path, name, text) -> None:
    rules = read(tmp_path, text, name)
    rules.check(SPEC)
    assert rules.of("  ASTER ") == {"sketch", "rotated", "darker"}
    assert rules.of("Birk") == rules.of("") == {"darker"}
    assert BrandRules().of("Aster") == frozenset()


@pytest.mark.parametrize("variant", ["sketchy", "original", "recoloured"])
def test_what_cannot_be_recommended_cannot_be_forbidden(tmp_path, variant) -> None:
    rules = read(tmp_path, f'Aster = ["sketch", "{variant}"]')
    with pytest.raises(BrandRuleError, match=f"'aster' forbids '{variant}', .* expected some of brighter, darker,"):
        rules.check(SPEC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Aster = [", "is no TOML"),
        ('Aster = "sketch"', r"'Aster' has 'sketch'; expected a list of variants such as \[\"sketch\"\]"),
        ("Aster = [1]", "expected a list of variants"),
        ('Aster = ["sketch"]\naster = []', "brand 'aster' is empty or there twice"),
        ('" " = ["sketch"]', "is empty or there twice"),
    ],
)
def test_rules_that_cannot_be_read(tmp_path, text, message) -> None:
    with pytest.raises(BrandRuleError, match=message):
        read(tmp_path, text)


def test_json_that_holds_no_brands(tmp_path) -> None:
    with pytest.raises(BrandRuleError, match="holds list; expected brands"):
        read(tmp_path, "[]", "rules.json")
