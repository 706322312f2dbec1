"""``augury show``, ``pin``, ``unpin`` and ``prune``: what a registry holds of a model, and what it keeps."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.parameters import ModelName, Reason, RegistryRoot, model_name
from augury.commands.registry import Version
from features.fingerprinted import DATASET_CARD
from models.gates import flat_numbers
from models.overview import MODEL_CARD, days_of, examples_of, lines_about, main_metrics, read_json_of, standing
from models.registry import Registry, RegistryError
from models.retention import NEWEST, Retention

_ABOUT = ("generator", "code_version", "seconds", "simulated")
"""What else of a model card is shown, where it has it."""


def show(
    model: ModelName,
    version: Annotated[
        str, typer.Argument(help="a version, the beginning of one, `latest` or `champion`; none shows all of them")
    ] = "",
    registry: RegistryRoot = "registry",
) -> None:
    """Show the versions of a model, or all about one.

    All versions: when they were published, of which days their data are, their main metrics, and which is champion,
    its predecessor (the one that a rollback leads to), or pinned. One version: its data, all its metrics, who made it
    champion, when, why and in place of what, and what the gates said.

    **Examples**

    - `augury show behavior/purchase`
    - `augury show behavior/purchase champion`
    - `augury show behavior/purchase 20260301 --registry gs://bucket/registry`
    """
    family, name = model_name(model)
    opened = Registry(registry)
    if version:
        _show_one(opened, family, name, opened.resolve(family, name, version))
        return
    versions = opened.versions(family, name)
    if not versions:
        raise RegistryError(f"{registry} has no {model}; publish a version, or name another --registry")
    champion = opened.champion(family, name)
    wanted = main_metrics(family)
    rows = []
    for each in versions:
        manifest = opened.manifest(family, name, each)
        metrics = flat_numbers(read_json_of(opened, manifest, MODEL_CARD).get("metrics", {}))
        numbers = [metrics.get(metric) for metric in wanted]
        days = days_of(read_json_of(opened, manifest, DATASET_CARD))
        rows.append((each, ", ".join(standing(each, champion)), days, *numbers))
    columns = ("version", "", "data", *wanted)
    screen.table(model, columns, rows, right=range(3, len(columns)))


def pin(model: ModelName, version: Version, registry: RegistryRoot = "registry", reason: Reason = "") -> None:
    """Have a version never removed.

    **Examples**

    - `augury pin behavior/purchase 20260301 --reason 'the audit of March'`
    """
    retention, chosen = _retention(model, registry, version)
    retention.pin(chosen, reason)
    screen.line(f"pinned {model} {chosen}")


def unpin(model: ModelName, version: Version, registry: RegistryRoot = "registry", reason: Reason = "") -> None:
    """Take the pin of a version away.

    **Examples**

    - `augury unpin behavior/purchase 20260301`
    """
    retention, chosen = _retention(model, registry, version)
    retention.unpin(chosen, reason)
    screen.line(f"no longer pinned: {model} {chosen}")


def prune(
    model: ModelName,
    registry: RegistryRoot = "registry",
    keep: Annotated[int, typer.Option(min=0, help="how many of the newest versions stay, whatever else")] = NEWEST,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be removed, and remove nothing")] = False,
    reason: Reason = "",
) -> None:
    """Remove old versions from the registry.

    The champion, its predecessor and pinned versions are never removed, however few are to stay. A removed version is
    gone: it cannot be rolled back to.

    **Examples**

    - `augury prune behavior/purchase --dry-run`
    - `augury prune behavior/purchase --keep 20 --reason 'room'`
    """
    retention, _ = _retention(model, registry)
    stays = retention.reasons(keep)
    screen.table(model, ("version", "stays as"), [(each, why or "-") for each, why in stays.items()])
    if dry_run:
        going = [each for each, why in stays.items() if not why]
        screen.line(f"{len(going)} of {len(stays)} versions would be removed")
        return
    gone = retention.prune(keep, reason)
    screen.line(f"removed: {', '.join(gone)}" if gone else "nothing to remove")


def _retention(model: str, registry: str, word: str = "") -> tuple[Retention, str]:
    family, name = model_name(model)
    opened = Registry(registry)
    chosen = opened.resolve(family, name, word) if word else ""
    return Retention(opened, family, name), chosen


def _show_one(registry: Registry, family: str, name: str, version: str) -> None:
    manifest, champion = registry.manifest(family, name, version), registry.champion(family, name)
    card, data = (read_json_of(registry, manifest, file) for file in (MODEL_CARD, DATASET_CARD))
    rows: list[tuple[str, object]] = [
        ("published", screen.moment(manifest.created_at_us)),
        ("size", f"{manifest.size / 1e6:.1f} MB in {len(manifest.files)} files"),
        ("standing", ", ".join(standing(version, champion))),
        ("data", days_of(data)),
        ("examples", ", ".join(f"{name} {count:,}" for name, count in examples_of(data).items())),
        *((about.replace("_", " "), card[about]) for about in _ABOUT if about in card),
    ]
    screen.table(f"{family}/{name} {version}", ("", ""), [(what, told) for what, told in rows if told != ""])
    screen.table("Metrics", ("metric", ""), sorted(flat_numbers(card.get("metrics", {})).items()), right=(1,))
    lines = lines_about(version, registry.history(family, name))
    happened = [(screen.moment(line["at_us"]), _happened(line, version), line["by"], _why(line)) for line in lines]
    screen.table("History", ("time (UTC)", "what", "by", "why"), happened)


def _happened(line: Mapping[str, Any], version: str) -> str:
    if line["version"] != version:
        return f"replaced by {line['version']} ({line['action']})"
    replaced = line.get("replaced")
    return f"{line['action']}, in place of {replaced}" if replaced else str(line["action"])


def _why(line: Mapping[str, Any]) -> str:
    gates = [f"{'' if gate['passed'] else 'FAILED '}{gate['name']}: {gate['detail']}" for gate in line.get("gates", ())]
    return "; ".join(text for text in (line.get("reason", ""), *gates) if text)
