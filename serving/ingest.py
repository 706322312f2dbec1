"""Micro-batches: whatever is waiting is adapted, archived and pushed together, and nobody waits for a batch to fill."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What became of one message: ``accepted``, ``duplicate``, ``dropped`` or ``rejected``, and why."""

    kind: str
    reason: str = ""


class Ingest:
    """Takes received messages."""

    async def start(self) -> None:
        """Begins to take messages."""

    async def accept(self, messages: Sequence[dict[str, Any]]) -> list[Outcome]:
        """Returns what became of each message, once the archive and the fast store hold those accepted."""
        raise NotImplementedError

    async def close(self) -> None:
        """Writes what is waiting, then stops."""
