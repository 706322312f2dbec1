"""Recipes that cannot be are refused before anything is asked of anybody."""

import re
from pathlib import Path
from typing import Any

import pytest

from augury.scraping.recipe import FieldRule, RecipeError, load_recipe, parse_recipe

GOOD: dict[str, Any] = {
    "name": "shop",
    "hosts": ["shop.example.org"],
    "start": ["https://shop.example.org:8443/shoes"],
    "item": "li",
    "fields": {"name": "h2", "image": "img"},
}


def test_defaults() -> None:
    recipe = parse_recipe({**GOOD, "next": "a"})
    assert (recipe.ports, recipe.max_pages, recipe.required) == ((80, 443, 8443), 1000, ("name", "image"))
    assert recipe.next == FieldRule("a", "href")
    assert recipe.fields == {"name": FieldRule("h2"), "image": FieldRule("img")}


def test_the_fingerprint_changes_with_what_is_taken() -> None:
    first = parse_recipe(GOOD).fingerprint()
    assert parse_recipe({**GOOD, "max_pages": 3}).fingerprint() == first
    assert parse_recipe({**GOOD, "item": "div"}).fingerprint() != first
    assert parse_recipe({**GOOD, "fields": {"name": "h3", "image": "img"}}).fingerprint() != first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": "li"}, "unknown key 'items'; expected one of name, hosts"),
        ({"item": None}, "item: None is not possible; expected a CSS selector"),
        ({"item": "li["}, "item: 'li[' is no CSS selector: Malformed attribute selector"),
        ({"item": ""}, "item: '' is not possible; expected a CSS selector"),
        ({"name": "Shop!"}, "name: 'Shop!' is not possible; expected lower-case letters, digits, - and _"),
        ({"hosts": []}, "hosts: [] is not possible; expected a list of texts, at least one"),
        ({"hosts": "a.org"}, "hosts: 'a.org' is not possible; expected a list of texts"),
        ({"hosts": ["a.org:80"]}, "hosts: 'a.org:80' is no host"),
        (
            {"start": ["https://other.org/"]},
            "start: cannot fetch https://other.org/: host other.org is not in the list",
        ),
        ({"start": ["ftp://shop.example.org/"]}, "start: cannot fetch ftp://shop.example.org/: scheme 'ftp'"),
        ({"start": ["http://[bad"]}, "start: "),
        ({"ports": 80}, "ports: 80 is not possible; expected a list of numbers"),
        ({"ports": [80]}, "start: cannot fetch https://shop.example.org:8443/shoes: port 8443 is not allowed"),
        ({"ports": [99999]}, "ports: 99999 is not possible; expected an integer from 1 to 65535"),
        ({"max_pages": 0}, "max_pages: 0 is not possible; expected a number from 1 to 1000000"),
        ({"fields": {"name": "h2"}}, "fields: nothing says where 'image' is; add image = \"CSS SELECTOR\""),
        ({"fields": []}, "fields: [] is no table; expected [fields]"),
        ({"fields": {"colour": "b"}}, "fields: unknown field 'colour'; expected one of name, brand"),
        ({"required": ["brand"]}, "fields: nothing says where 'brand' is"),
        ({"required": ["size"]}, "required: 'size' is unknown; expected some of name, brand"),
        ({"detail": {"price": "b"}}, "detail: without a url in [fields] no detail page can be found; add url"),
        ({"next": {"select": "a", "attr": "x"}}, "next: unknown key 'attr'; expected one of select, attribute"),
        ({"next": {"constant": "x"}}, "next: a constant stands alone, and for a field"),
        ({"next": 3}, 'next: 3 is not possible; expected a CSS selector or { select = "..." }'),
        ({"next": {"regex": "x"}}, "next: neither select nor constant is there; add one"),
        ({"next": {"select": "a", "regex": "("}}, "next: '(' is no regular expression: missing ), unterminated"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as caught:
        parse_recipe({**GOOD, **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "hosts", "start", "item", "fields"])
def test_what_must_be_there(key: str) -> None:
    with pytest.raises(RecipeError, match=f"missing key '{key}'; add it"):
        parse_recipe({name: value for name, value in GOOD.items() if name != key})


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    with pytest.raises(RecipeError, match="no recipe can be read there"):
        load_recipe(path)
    path.write_text("name = ")
    with pytest.raises(RecipeError, match=r"shop.toml: not valid TOML"):
        load_recipe(path)
    path.write_text("a = 1")
    with pytest.raises(RecipeError, match=r"shop.toml: unknown key 'a'"):
        load_recipe(path)
