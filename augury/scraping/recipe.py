"""Recipes: the TOML that says where a shop's listings are and which parts of a page are what."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import soupsieve

from features.errors import AuguryError
from features.fetching_policy import FetchError, FetchPolicy, port_of
from features.storage import StorageError, StoragePath, read_text
from features.strict import FeatureSpecError

FIELDS = ("name", "brand", "gender", "kind", "image", "price", "url")
"""What is taken of a product."""

ITEM = ":scope"
"""The selector of the item itself."""

_KEYS = ("name", "hosts", "ports", "start", "item", "next", "max_pages", "required", "fields", "detail")
_FIELD_KEYS = ("select", "attribute", "regex", "constant")
_DEFAULT_ATTRIBUTES = {"url": "href", "image": "", "next": "href"}
_MOST_PAGES = 1_000_000


class RecipeError(AuguryError, ValueError):
    """A recipe that is missing, or says something that cannot be."""


@dataclass(frozen=True)
class FieldRule:
    """Where a value is: of the first element that ``select`` finds, an attribute or the text.

    Attributes:
        select: CSS selector; ``:scope`` is the item itself.
        attribute: the attribute that holds it; empty for the text (of an image: for wherever images are named).
        regex: what of it counts: the first group, or the whole match where there is none; empty for all.
        constant: the value itself, whatever the page says; the others are then empty.
    """

    select: str = ""
    attribute: str = ""
    regex: str = ""
    constant: str = ""


@dataclass(frozen=True)
class Recipe:
    """A recipe, checked; docs/scraping.md says what each key means."""

    name: str
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    start: tuple[str, ...]
    item: str
    next: FieldRule | None
    max_pages: int
    required: tuple[str, ...]
    fields: Mapping[str, FieldRule]
    detail: Mapping[str, FieldRule]

    def fingerprint(self) -> str:
        """Returns what changes with everything that decides what is taken of a page."""
        given = {key: value for key, value in asdict(self).items() if key in ("item", "next", "fields", "detail")}
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]


def load_recipe(path: StoragePath) -> Recipe:
    """Reads and checks a recipe.

    Raises:
        RecipeError: it cannot be read or says what cannot be; one line with the path, the key and what is expected.
    """
    try:
        given = tomllib.loads(read_text(path))
    except StorageError as e:
        raise RecipeError(f"{path}: no recipe can be read there ({e})") from e
    except tomllib.TOMLDecodeError as e:
        raise RecipeError(f"{path}: not valid TOML: {e}") from e
    try:
        return parse_recipe(given)
    except RecipeError as e:
        raise RecipeError(f"{path}: {e}") from e


def parse_recipe(given: Mapping[str, Any]) -> Recipe:
    """Checks what a recipe's TOML holds.

    Raises:
        RecipeError: as for ``load_recipe``, without the path.
    """
    for key in given:
        if key not in _KEYS:
            raise RecipeError(f"unknown key {key!r}; expected one of {', '.join(_KEYS)}")
    for key in ("name", "hosts", "start", "item", "fields"):
        if key not in given:
            raise RecipeError(f"missing key {key!r}; add it")
    name = given["name"]
    if not isinstance(name, str) or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name) is None:
        raise RecipeError(f"name: {name!r} is not possible; expected lower-case letters, digits, - and _")
    fields, detail = _rules("fields", given["fields"]), _rules("detail", given.get("detail", {}))
    start = _texts("start", given["start"])
    return Recipe(
        name=name,
        hosts=_texts("hosts", given["hosts"]),
        ports=_checked_start(start, given),
        start=start,
        item=_selector("item", given["item"]),
        next=_rule("next", given["next"]) if "next" in given else None,
        max_pages=_whole("max_pages", given.get("max_pages", 1000)),
        required=_required(given.get("required", ["name", "image"]), fields, detail),
        fields=fields,
        detail=detail,
    )


def _checked_start(start: tuple[str, ...], given: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns the ports that may be used: those given, or 80, 443 and those of the start pages."""
    try:
        found = given.get("ports", sorted({80, 443} | {port_of(httpx.URL(url)) for url in start} - {0}))
        if not isinstance(found, list):
            raise RecipeError(f"ports: {found!r} is not possible; expected a list of numbers")
        policy = FetchPolicy(hosts=tuple(_texts("hosts", given["hosts"])), ports=tuple(found))
        for url in start:
            policy.check_url(url)
    except (FeatureSpecError, TypeError) as e:
        raise RecipeError(str(e).removeprefix("fetching.")) from e
    except (FetchError, httpx.InvalidURL) as e:
        raise RecipeError(f"start: {e}") from e
    return policy.ports


def _required(given: Any, *rules: Mapping[str, FieldRule]) -> tuple[str, ...]:
    named = _texts("required", given)
    for name in ("image", *named):
        if name not in FIELDS:
            raise RecipeError(f"required: {name!r} is unknown; expected some of {', '.join(FIELDS)}")
        if not any(name in group for group in rules):
            raise RecipeError(f'fields: nothing says where {name!r} is; add {name} = "CSS SELECTOR"')
    if rules[1] and "url" not in rules[0]:
        raise RecipeError("detail: without a url in [fields] no detail page can be found; add url")
    return named


def _rules(where: str, given: Any) -> dict[str, FieldRule]:
    if not isinstance(given, Mapping):
        raise RecipeError(f"{where}: {given!r} is no table; expected [{where}]")
    for key in given:
        if key not in FIELDS:
            raise RecipeError(f"{where}: unknown field {key!r}; expected one of {', '.join(FIELDS)}")
    return {key: _rule(f"{where}.{key}", value) for key, value in given.items()}


def _rule(where: str, given: Any) -> FieldRule:
    default = _DEFAULT_ATTRIBUTES.get(where.rpartition(".")[2], "")
    if isinstance(given, str):
        return FieldRule(select=_selector(where, given), attribute=default)
    if not isinstance(given, Mapping) or not all(isinstance(value, str) and value for value in given.values()):
        raise RecipeError(f'{where}: {given!r} is not possible; expected a CSS selector or {{ select = "..." }}')
    for key in given:
        if key not in _FIELD_KEYS:
            raise RecipeError(f"{where}: unknown key {key!r}; expected one of {', '.join(_FIELD_KEYS)}")
    if "constant" in given:
        if len(given) > 1 or where == "next":
            raise RecipeError(f"{where}: a constant stands alone, and for a field; leave out the rest")
        return FieldRule(constant=given["constant"])
    if "select" not in given:
        raise RecipeError(f"{where}: neither select nor constant is there; add one")
    if "regex" in given:
        try:
            re.compile(given["regex"])
        except re.error as e:
            raise RecipeError(f"{where}: {given['regex']!r} is no regular expression: {e}") from e
    return FieldRule(_selector(where, given["select"]), given.get("attribute", default).lower(), given.get("regex", ""))


def _selector(where: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise RecipeError(f"{where}: {given!r} is not possible; expected a CSS selector")
    try:
        soupsieve.compile(given)
    except (soupsieve.SelectorSyntaxError, ValueError) as e:
        raise RecipeError(f"{where}: {given!r} is no CSS selector: {str(e).splitlines()[0]}") from e
    return given


def _texts(where: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(value, str) for value in given):
        raise RecipeError(f"{where}: {given!r} is not possible; expected a list of texts, at least one")
    return tuple(dict.fromkeys(given))


def _whole(where: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= _MOST_PAGES:
        raise RecipeError(f"{where}: {given!r} is not possible; expected a number from 1 to {_MOST_PAGES}")
    return given
