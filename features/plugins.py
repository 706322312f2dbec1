"""Plug-ins: frozen dataclasses found by name, the shipped ones and those that other packages register.

A package adds its own through an entry-point group of its ``pyproject.toml``.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast, get_args, get_type_hints

from features.errors import AuguryError

Base = TypeVar("Base")


@dataclass(frozen=True)
class PluginGroup(Generic[Base]):
    """Everything of one kind that can be had by name.

    Attributes:
        entry_points: the entry-point group that others register theirs under.
        shipped: name -> ``module:class`` of our own, so that a checkout works without being installed.
        base: the class that all derive from; each is a frozen dataclass, its fields are its parameters.
        noun: what one is called in messages, such as "generator".
        called: the same in full, such as "example generator".
        error: the class of every error.
    """

    entry_points: str
    shipped: Mapping[str, str]
    base: type[Base]
    noun: str
    called: str
    error: type[AuguryError]

    def names(self) -> dict[str, str]:
        """Returns name -> ``module:class`` of all that can be loaded, sorted by name; two of one name are refused."""
        found = dict(self.shipped)
        for point in entry_points(group=self.entry_points):
            if found.setdefault(point.name, point.value) != point.value:
                raise self.error(
                    f"two {self.noun}s are called {point.name!r}: {found[point.name]} and {point.value}; "
                    f"rename one in its package's entry points ({self.entry_points})"
                )
        return dict(sorted(found.items()))

    def load(self, name: str, params: Mapping[str, Any] | None = None) -> Base:
        """Returns the plug-in ``name`` made with ``params``; fields not named keep their defaults.

        An unknown name, a plug-in that does not load and a parameter that is unknown or impossible are refused.
        """
        names = self.names()
        if name not in names:
            raise self.error(
                f"no {self.called} is called {name!r}{_meant(name, names)}; known: {', '.join(names)}. Choose one, "
                f"or install the package that registers it under the entry-point group {self.entry_points}"
            )
        return self._make(name, self._load(name, names[name]), dict(params or {}))

    def _load(self, name: str, path: str) -> type[Base]:
        try:
            loaded = EntryPoint(name, path, self.entry_points).load()
        except (ImportError, AttributeError) as error:
            raise self.error(
                f"{self.called} {name!r} is registered as {path}, which does not load ({error}); "
                "repair or uninstall the package that registers it"
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, self.base) and dataclasses.is_dataclass(loaded)):
            raise self.error(
                f"{self.called} {name!r} ({path}) is no frozen dataclass derived from {self.base.__name__}; make it one"
            )
        return cast(type[Base], loaded)

    def _make(self, name: str, kind: type[Base], params: dict[str, Any]) -> Base:
        hints = get_type_hints(kind)
        known = {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
        for key, value in params.items():
            if key not in known:
                raise self.error(
                    f"{self.noun} {name!r} has no parameter {key!r}{_meant(key, known)}; "
                    f"it takes {', '.join(known) or 'no parameters'}"
                )
            params[key] = self._typed(name, key, value, known[key])
        return kind(**params)

    def _typed(self, name: str, key: str, value: Any, hint: Any) -> Any:
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
        raise self.error(f"parameter {key!r} of {self.noun} {name!r} is {value!r}; expected {wanted}")


def plugin_params(plugin: Any) -> dict[str, Any]:
    """Returns a plug-in's parameters as JSON-able values; ``PluginGroup.load`` takes them back."""
    values = ((field.name, getattr(plugin, field.name)) for field in dataclasses.fields(plugin))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _is_union(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _meant(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
