"""Flags made from an options dataclass."""

from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from augury.commands.flags import argv_of, documented, split_flags, takes


@dataclass(frozen=True)
class Spice:
    """Spice.

    Attributes:
        pepper: how much
            pepper, in ``g``.
    """

    pepper: float = 0.5


@dataclass(frozen=True)
class Dish:
    """A dish.

    Attributes:
        guests: how many come.
        toppings: what goes on top.
    """

    guests: tuple[str, ...]
    name: str = ""
    pans: int = 2
    oven: float | None = field(default=None, metadata={"help": "degrees, <unit>"})
    toppings: tuple[str, ...] = ("salt",)
    fast: bool = False
    tidy: bool = True
    spice: Spice = field(default_factory=Spice)


@pytest.fixture
def cook():
    made = []

    @takes(Dish, arguments=("guests",), leave_out=("pans",))
    def command(dish: Dish, tip: Annotated[int, typer.Option(help="for the cook")] = 0) -> None:
        """Cook."""
        made.append((dish, tip))

    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)

    def run(*argv):
        done = CliRunner().invoke(app, argv)
        return made.pop() if made else done

    return run


def test_defaults_are_the_dataclass_s(cook):
    assert cook("ann", "--name", "soup") == (Dish(("ann",), "soup"), 0)


def test_every_field_can_be_given(cook):
    argv = "--name x --oven 180 --toppings a --toppings b --fast --no-tidy --pepper 2 --tip 3 ann bob".split()
    expected = Dish(("ann", "bob"), "x", 2, 180.0, ("a", "b"), True, False, Spice(2.0))
    assert cook(*argv) == (expected, 3)


def test_what_has_no_default_is_required(cook):
    assert "Missing option" in cook("ann").stderr
    assert "Missing argument" in cook("--name", "soup").stderr


def test_a_field_left_out_is_no_flag(cook):
    assert "No such option: --pans" in cook("ann", "--name", "soup", "--pans", "3").stderr


def test_help_comes_from_metadata_or_docstring(cook):
    text = " ".join(cook("--help").stdout.split())
    for words in (
        "how many come.",
        "what goes on top.",
        "how much pepper, in `g`.",
        r"degrees, \<unit>",
        "for the cook",
    ):
        assert words in text


def test_docstrings_are_joined_over_lines_and_bases():
    @dataclass(frozen=True)
    class Hot(Spice):
        """Hot.

        Attributes:
            chili: how much chili.

        Raises:
            Nothing: ever.
        """

        chili: float = 1.0

    assert documented(Hot) == {"pepper": "how much pepper, in `g`.", "chili": "how much chili."}


def test_argv_makes_the_options_again(cook):
    @dataclass(frozen=True)
    class Plain:
        out_folder: str = ""
        rate: float = 0.1
        resume: bool = False
        depth: int | None = None

    assert argv_of(Plain()) == []
    assert argv_of(Plain("x y", 1e-5, True, 3)) == ["--out-folder=x y", "--rate=1e-05", "--resume", "--depth=3"]


def test_flags_for_beam_are_split_as_in_a_shell():
    assert split_flags(["--a=1 --b='x y'", "--c"]) == ["--a=1", "--b=x y", "--c"]
    assert split_flags(None) == []
    with pytest.raises(typer.BadParameter, match="No closing quotation; quote flags as in a shell"):
        split_flags(["--a='x"])
