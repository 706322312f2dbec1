"""Flags that several commands share."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer

Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="parameter of the generator, e.g. days=14; repeat for more"
    ),
]

RegistryRoot = Annotated[
    str, typer.Option("--registry", envvar="AUGURY_REGISTRY", help="folder of the registry; local or gs://")
]

ModelName = Annotated[str, typer.Argument(metavar="FAMILY/NAME", help="the model, e.g. behavior/purchase")]

Reason = Annotated[str, typer.Option("--reason", help="why, for the history")]


def generator_params(given: Sequence[str] | None) -> dict[str, Any]:
    """Returns NAME=VALUE texts as a dictionary; a value is JSON where it can be, else text.

    Raises:
        typer.BadParameter: a text without ``=``, or a name given twice.
    """
    params: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is no NAME=VALUE", param_hint="--param")
        if name in params:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--param")
        try:
            params[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            params[name] = value
    return params


def model_name(given: str) -> tuple[str, str]:
    """Returns (family, name).

    Raises:
        typer.BadParameter: it is not two words with a slash between them.
    """
    family, slash, name = given.partition("/")
    if not slash or not family or not name or "/" in name:
        raise typer.BadParameter(f"{given!r} is no FAMILY/NAME such as behavior/purchase", param_hint="FAMILY/NAME")
    return family, name
