"""Promotion as everybody does it, the command and the console: the family's gates, its golden set replayed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from models.behavior.silence import native_silence
from models.registry import RegistryError

# Replaying a golden set runs the service with the family's own engine, so it is imported when it is called.
_REPLAYS = {
    "behavior": "serving.verification",
    "attention": "serving.attention.verification",
    "creative": "serving.creative.verification",
}


def replay_through_service(registry: str, family: str, name: str, version: str) -> Callable[[Any], Any]:
    """Returns what replays a version's golden set through a service of its own, for the gate.

    Raises:
        RegistryError: no service is known for this family.
    """
    if family not in _REPLAYS:
        raise RegistryError(
            f"no way is known to replay the golden set of family {family!r}; known: {', '.join(_REPLAYS)}"
        )

    def replay(_: Any) -> Any:
        with native_silence():
            return import_module(_REPLAYS[family]).verify(registry, name, version)

    return replay
