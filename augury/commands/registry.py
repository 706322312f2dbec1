"""``augury publish``, ``history``, ``compare``, ``promote`` and ``rollback``."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.parameters import ModelName, Reason, RegistryRoot, model_name
from features.storage import read_text
from models.gates import GateResult, Gates, Thresholds
from models.registry import RefusedError, Registry, RegistryError
from models.rescoring import rescorer
from serving.promotion import replay_through_service

_LATEST, _CHAMPION = "latest", "champion"

Version = Annotated[str, typer.Argument(help="a version, the beginning of one, `latest` or `champion`")]


def publish(
    folder: Annotated[str, typer.Argument(help="the artifact that training wrote")],
    model: ModelName,
    registry: RegistryRoot = "registry",
) -> None:
    """Publish a trained model as a new version.

    A version is immutable, verified by checksums, and appears whole or not at all. Publishing does not make it the
    champion: `augury promote` does, if it passes its gates.

    **Examples**

    - `augury publish model behavior/purchase`
    - `augury publish model behavior/purchase --registry gs://bucket/registry`
    """
    family, name = model_name(model)
    with screen.spinner("publishing"):
        version = Registry(registry).publish(folder, family, name)
    screen.line(f"published {model} {version}")
    screen.line(f"next: augury promote {model} {version}{_where(registry)}")


def history(model: ModelName, registry: RegistryRoot = "registry") -> None:
    """Show what happened to a model's versions, and when.

    **Examples**

    - `augury history behavior/purchase`
    - `augury history behavior/purchase --registry gs://bucket/registry`
    """
    family, name = model_name(model)
    opened = Registry(registry)
    lines = opened.history(family, name)
    if not lines:
        raise RegistryError(f"{registry} has no {model}; publish a version, or name another --registry")
    champion = opened.champion(family, name)
    rows = [
        (
            screen.moment(entry["at_us"]),
            entry["action"],
            entry["version"],
            entry["by"],
            _why(entry),
        )
        for entry in lines
    ]
    screen.table(model, ("time (UTC)", "what", "version", "by", "why"), rows)
    screen.line(f"champion: {champion.version if champion else 'none yet'}")


def compare(
    model: ModelName,
    first: Version = _CHAMPION,
    second: Version = _LATEST,
    registry: RegistryRoot = "registry",
) -> None:
    """Set the metrics of two versions side by side.

    **Examples**

    - `augury compare behavior/purchase` : the champion and the latest version
    - `augury compare behavior/purchase 20260301 latest`
    """
    family, name = model_name(model)
    opened = Registry(registry)
    one, two = (opened.resolve(family, name, word) for word in (first, second))
    rows = []
    for metric, a, b in opened.compare(family, name, one, two):
        rows.append((metric, a, b, None if a is None or b is None else f"{b - a:+.4f}"))
    screen.table(model, ("metric", one, two, "difference"), rows, right=(1, 2, 3))


def promote(
    model: ModelName,
    version: Version = _LATEST,
    registry: RegistryRoot = "registry",
    thresholds: Annotated[
        str | None, typer.Option(help="TOML file of what differs from the family's thresholds; see docs/cli.md")
    ] = None,
    reason: Reason = "",
) -> None:
    """Make a version the champion, if it passes every gate.

    The gates: its metrics reach the absolute thresholds of its family and are not worse than the champion's on the same
    data, neither in all nor on a slice of it; its calibration error, where it gives probabilities, is small enough; and
    its golden set, replayed through a running service (see `augury verify`), gives the same predictions bit for bit. A
    champion that was judged on other data is asked about the test examples of this version, which must still be where
    they were. A refusal is an error, and is written to the history.

    **Examples**

    - `augury promote behavior/purchase` : the latest version
    - `augury promote behavior/purchase 20260301T120000Z-0f3a5b7c9d1e2f40 --reason 'new checkout'`
    - `augury promote behavior/purchase --thresholds gates.toml`
    """
    family, name = model_name(model)
    limits = Thresholds.of(family).changed(_read_toml(thresholds) if thresholds else {})
    opened = Registry(registry)
    chosen = opened.resolve(family, name, version)
    try:
        with screen.spinner("trying the gates"):
            gates = Gates(limits, replay_through_service(registry, family, name, chosen), rescorer(family))
            champion = opened.promote(family, name, chosen, gates.check, reason)
    except RefusedError as error:
        _show_gates(error.results)
        raise
    _show_gates([GateResult(**gate) for gate in champion.gates])
    screen.line(f"{model} has champion {champion.version}")


def rollback(model: ModelName, registry: RegistryRoot = "registry", reason: Reason = "") -> None:
    """Make the champion's predecessor champion again.

    **Examples**

    - `augury rollback behavior/purchase --reason 'conversion fell'`
    """
    family, name = model_name(model)
    champion = Registry(registry).rollback(family, name, reason)
    screen.line(f"{model} has champion {champion.version} again, after {champion.replaced}")


def _read_toml(path: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as e:
        raise typer.BadParameter(f"{path} is not TOML ({e})", param_hint="--thresholds") from e


def _show_gates(results: Sequence[GateResult]) -> None:
    rows = [(result.name, "passed" if result.passed else "FAILED", result.detail) for result in results]
    if rows:
        screen.table("Gates", ("gate", "", "what it found"), rows)


def _why(entry: Mapping[str, Any]) -> str:
    failed = "; ".join(gate["detail"] for gate in entry.get("gates", ()) if not gate["passed"])
    replaced = f"in place of {entry['replaced']}" if entry.get("replaced") else ""
    return "; ".join(text for text in (entry.get("reason", ""), failed, replaced) if text)


def _where(registry: str) -> str:
    return "" if registry == "registry" else f" --registry {registry}"
