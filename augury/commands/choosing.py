"""Which model a command is about: a version of the registry, or an artifact that is not published."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from augury.commands.parameters import model_name
from features.storage import local_folder
from models.artifact import PredictorError
from models.cards import read_json
from models.registry import Registry, RegistryError

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="FAMILY/NAME", help="the model; may be left out if it is the only one"),
]

VersionOption = Annotated[
    str, typer.Option("--model-version", help="a version, the beginning of one, `latest` or `champion`")
]

ArtifactOption = Annotated[
    str | None, typer.Option("--artifact", help="folder of a trained model, instead of a registry's")
]


@dataclass(frozen=True)
class Chosen:
    """A model: its local folder, what it is called, and its version ("unpublished" for an artifact)."""

    folder: str | Path
    name: str
    version: str


def choose(family: str, artifact: str | None, registry: str, model: str | None, version: str) -> Chosen:
    """Returns the model that the options name.

    Raises:
        typer.BadParameter: the options contradict each other.
        RegistryError: there is no such version, or more than one model to choose from.
        IntegrityError: the version is not what was published.
        PredictorError: the artifact is of another family.
    """
    if artifact is not None:
        if model is not None:
            raise typer.BadParameter("it has the model; leave out --model or --artifact", param_hint="--artifact")
        folder = local_folder(artifact)
        _check_family(folder, family)
        return Chosen(folder, artifact, "unpublished")
    opened = Registry(registry)
    name = _name(family, opened.names(family), registry, model)
    found = opened.resolve(family, name, version)
    return Chosen(opened.open_version(family, name, found), f"{family}/{name}", found)


def _check_family(folder: Path, family: str) -> None:
    card = folder / "model_card.json"
    found = read_json(card).get("family") if card.exists() else None  # without a card, whoever opens it says what lacks
    if found not in (None, family):
        raise PredictorError(f"{folder} is a model of {found}; expected one of {family}")


def _name(family: str, names: Sequence[str], registry: str, model: str | None) -> str:
    if model is not None:
        given, name = model_name(model)
        if given != family:
            raise typer.BadParameter(f"{model!r} is no model of {family}; name {family}/NAME", param_hint="--model")
        return name
    if len(names) == 1:
        return names[0]
    known = ", ".join(f"{family}/{name}" for name in names)
    what = f"it has {known}; name one with --model" if names else "publish one, or name a folder with --artifact"
    raise RegistryError(f"{registry} has {len(names) or 'no'} models of {family}; {what}")
