"""``augury verify``."""

import typer

from augury.commands import screen
from augury.commands.parameters import ModelName, RegistryRoot, model_name
from augury.commands.registry import Version
from models.registry import Registry
from serving.promotion import replay_through_service


def verify(model: ModelName, version: Version = "champion", registry: RegistryRoot = "registry") -> None:
    """Replay a version's golden set through a running service.

    Starts a service of its own on a loopback port with a private store, asks it over HTTP about every golden instance
    (the raw events of `behavior` go into the store, an image of `attention` or `creative` is sent along), and compares
    the bits of the answer with what training computed. Exit code 1 when one of them differs. `augury promote` does the
    same.

    **Examples**

    - `augury verify behavior/purchase` : the champion
    - `augury verify attention/pages 20260301` : a version, by the beginning of its name
    - `augury verify behavior/purchase latest --registry gs://bucket/registry`
    """
    family, name = model_name(model)
    chosen = Registry(registry).resolve(family, name, version)
    replay = replay_through_service(registry, family, name, chosen)
    with screen.spinner("asking a service of its own"):
        found = replay(None)
    screen.line(f"{model} {chosen}: {found.identical:,} of {found.total:,} predictions are identical bit for bit")
    if found.differing:
        more = ", ..." if found.total - found.identical > len(found.differing) else ""
        screen.line(f"different: {', '.join(found.differing)}{more}", style="red")
    if not found.total == found.identical > 0:
        raise typer.Exit(1)
