"""Finding example generators by name: the shipped ones and those that other packages register.

A package adds its own through the entry-point group ``augury.example_generators``::

    [project.entry-points."augury.example_generators"]
    quote_requested = "my_site.generators:QuoteRequested"
"""

import dataclasses
import difflib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args, get_type_hints

from example_generators.base import ExampleGenerator
from example_generators.errors import GeneratorError

ENTRY_POINT_GROUP = "augury.example_generators"

# Registered in pyproject.toml too; this copy lets a checkout work without being installed. A test compares the two.
_SHIPPED = {
    "high_value": "example_generators.high_value:HighValue",
    "purchase": "example_generators.purchase:Purchase",
    "purchase_points": "example_generators.purchase_points:PurchasePoints",
    "return_visit": "example_generators.return_visit:ReturnVisit",
    "signup": "example_generators.signup:Signup",
    "template": "example_generators.template:Template",
}


def generator_names() -> dict[str, str]:
    """Returns name -> ``module:class`` of every generator that can be loaded, sorted by name.

    Raises:
        GeneratorError: two packages register different generators under one name.
    """
    found = dict(_SHIPPED)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if found.setdefault(point.name, point.value) != point.value:
            raise GeneratorError(
                f"two generators are called {point.name!r}: {found[point.name]} and {point.value}; "
                f"rename one in its package's entry points ({ENTRY_POINT_GROUP})"
            )
    return dict(sorted(found.items()))


def load_generator(name: str, params: Mapping[str, Any] | None = None) -> ExampleGenerator:
    """Returns the generator ``name``, made with ``params``.

    Args:
        name: as registered in the entry-point group.
        params: field name -> value; fields not named keep their defaults.

    Raises:
        GeneratorError: the name is not known, the plug-in does not load, or a parameter is unknown or impossible.
    """
    names = generator_names()
    if name not in names:
        raise GeneratorError(
            f"no example generator is called {name!r}{_meant(name, names)}; known: {', '.join(names)}. Choose one, "
            f"or install the package that registers it under the entry-point group {ENTRY_POINT_GROUP}"
        )
    return _make(name, _load(name, names[name]), dict(params or {}))


def generator_params(generator: ExampleGenerator) -> dict[str, Any]:
    """Returns a generator's parameters as JSON-able values; ``load_generator`` takes them back."""
    values = ((field.name, getattr(generator, field.name)) for field in dataclasses.fields(generator))  # type: ignore[arg-type]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _load(name: str, path: str) -> type[ExampleGenerator]:
    try:
        loaded = EntryPoint(name, path, ENTRY_POINT_GROUP).load()
    except (ImportError, AttributeError) as error:
        raise GeneratorError(
            f"example generator {name!r} is registered as {path}, which does not load ({error}); "
            "repair or uninstall the package that registers it"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, ExampleGenerator) and dataclasses.is_dataclass(loaded)):
        raise GeneratorError(
            f"example generator {name!r} ({path}) is no frozen dataclass derived from ExampleGenerator; make it one"
        )
    return loaded


def _make(name: str, kind: type[ExampleGenerator], params: dict[str, Any]) -> ExampleGenerator:
    hints = get_type_hints(kind)
    known = {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for key, value in params.items():
        if key not in known:
            raise GeneratorError(
                f"generator {name!r} has no parameter {key!r}{_meant(key, known)}; "
                f"it takes {', '.join(known) or 'no parameters'}"
            )
        params[key] = _typed(name, key, value, known[key])
    return kind(**params)


def _typed(name: str, key: str, value: Any, hint: Any) -> Any:
    """Returns the value as the field's type: JSON knows no tuples, and writes 7.0 as 7."""
    kinds = {getattr(kind, "__origin__", kind) for kind in (get_args(hint) if _is_union(hint) else (hint,))}
    if tuple in kinds and isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(value, bool) is (bool in kinds) or value is None:
        if float in kinds and isinstance(value, int):
            return float(value)
        if type(value) in kinds:
            return value
    wanted = " or ".join(sorted("none" if kind is type(None) else kind.__name__ for kind in kinds))
    raise GeneratorError(f"parameter {key!r} of generator {name!r} is {value!r}; expected {wanted}")


def _is_union(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _meant(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
