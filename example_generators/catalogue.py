"""Finding example generators by name: the shipped ones and those that other packages register.

A package adds its own through the entry-point group ``augury.example_generators``::

    [project.entry-points."augury.example_generators"]
    quote_requested = "my_site.generators:QuoteRequested"
"""

from collections.abc import Mapping
from typing import Any

from example_generators.base import ExampleGenerator
from example_generators.errors import GeneratorError
from features.plugins import PluginGroup, plugin_params

ENTRY_POINT_GROUP = "augury.example_generators"

# Registered in pyproject.toml too; a test compares the two.
_SHIPPED = {
    "high_value": "example_generators.high_value:HighValue",
    "purchase": "example_generators.purchase:Purchase",
    "purchase_points": "example_generators.purchase_points:PurchasePoints",
    "return_visit": "example_generators.return_visit:ReturnVisit",
    "signup": "example_generators.signup:Signup",
    "template": "example_generators.template:Template",
}
_GENERATORS = PluginGroup(
    ENTRY_POINT_GROUP, _SHIPPED, ExampleGenerator, "generator", "example generator", GeneratorError
)


def generator_names() -> dict[str, str]:
    """Returns name -> ``module:class`` of every generator that can be loaded, sorted by name.

    Raises:
        GeneratorError: two packages register different generators under one name.
    """
    return _GENERATORS.names()


def load_generator(name: str, params: Mapping[str, Any] | None = None) -> ExampleGenerator:
    """Returns the generator ``name``, made with ``params``.

    Args:
        name: as registered in the entry-point group.
        params: field name -> value; fields not named keep their defaults.

    Raises:
        GeneratorError: the name is not known, the plug-in does not load, or a parameter is unknown or impossible.
    """
    return _GENERATORS.load(name, params)


def generator_params(generator: ExampleGenerator) -> dict[str, Any]:
    """Returns a generator's parameters as JSON-able values; ``load_generator`` takes them back."""
    return plugin_params(generator)
