"""Names, parameters and plug-ins: what is refused, and in which words."""

import sys
import tomllib
from pathlib import Path

import pytest

from example_generators.catalogue import ENTRY_POINT_GROUP, generator_names, generator_params, load_generator
from example_generators.errors import GeneratorError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """Installs a distribution that registers one generator, as pip would leave it."""

    def install(name, path, source=""):
        (tmp_path / "my_site.py").write_text(source)
        info = tmp_path / "my_site-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-site\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {path}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "my_site", raising=False)

    return install


def test_the_shipped_generators_are_those_of_pyproject():
    registered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][ENTRY_POINT_GROUP]
    assert generator_names() == dict(sorted(registered.items()))


@pytest.mark.parametrize("name", generator_names())
def test_parameters_travel_as_json_values_and_come_back(name):
    generator = load_generator(name)
    assert load_generator(name, generator_params(generator)) == generator
    assert generator.__doc__


def test_an_unknown_name_gets_the_known_ones_and_the_remedy():
    with pytest.raises(GeneratorError) as caught:
        load_generator("purchse")
    message = str(caught.value)
    assert message.startswith("no example generator is called 'purchse' (did you mean 'purchase'?); known: ")
    assert "purchase" in message.split("known: ")[1]
    assert message.endswith("or install the package that registers it under the entry-point group " + ENTRY_POINT_GROUP)


def test_an_unknown_parameter_is_refused():
    with pytest.raises(
        GeneratorError,
        match=r"^generator 'purchase' has no parameter 'evnt' \(did you mean 'event'\?\); it takes event$",
    ):
        load_generator("purchase", {"evnt": "Order Completed"})


def test_a_parameter_of_the_wrong_type_is_refused():
    with pytest.raises(GeneratorError, match=r"^parameter 'event' of generator 'purchase' is 3; expected str$"):
        load_generator("purchase", {"event": 3})


PLUG_IN = """
from dataclasses import dataclass
from example_generators.base import ExampleGenerator

@dataclass(frozen=True)
class Quotes(ExampleGenerator):
    "Will this visitor ask for a quote?"
    within: tuple[str, ...] = ()
    share: float = 0.5
"""


def test_another_packages_generator_is_found_by_name(plug_in):
    plug_in("quotes", "my_site:Quotes", PLUG_IN)
    assert generator_names()["quotes"] == "my_site:Quotes"
    generator = load_generator("quotes", {"within": ["x"], "share": 1})
    assert generator_params(generator) == {"within": ["x"], "share": 1.0}
    assert generator.within == ("x",)


def test_a_plug_in_that_does_not_load_is_named(plug_in):
    plug_in("quotes", "my_site:Gone", PLUG_IN)
    with pytest.raises(
        GeneratorError, match=r"^example generator 'quotes' is registered as my_site:Gone, which does not"
    ):
        load_generator("quotes")


def test_a_plug_in_that_is_no_generator_is_refused(plug_in):
    plug_in("quotes", "my_site:Quotes", "class Quotes: pass")
    with pytest.raises(GeneratorError, match="no frozen dataclass derived from ExampleGenerator; make it one"):
        load_generator("quotes")


def test_two_generators_under_one_name_are_refused(plug_in):
    plug_in("purchase", "my_site:Quotes", PLUG_IN)
    with pytest.raises(GeneratorError, match=r"^two generators are called 'purchase': .*; rename one"):
        load_generator("purchase")
