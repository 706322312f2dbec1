"""A promotion in a process of its own: ``python -m serving.console.promoting FOLDER``, the request on standard input.

Apart from the workers, because a replay runs a whole service with the family's engine: their predictions do not wait
for it, and its counts are not theirs. Of several that begin at once one goes on; a file in the folder says how it goes.
"""

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

from features.errors import AuguryError
from features.storage import atomic_write
from models.gates import Gates, Thresholds
from models.registry import RefusedError, Registry
from models.rescoring import rescorer

LOCK = "promotion.lock"
STATE = "promotion.json"
BUSY = 3
"""Exit code of one that found another at work."""

_NICE = 10
_TRIES = 20
_PAUSE_SECONDS = 0.05


def main(folder: Path, asked: dict[str, Any]) -> int:
    """Promotes, and writes down how it goes.

    Args:
        folder: where it is written down.
        asked: ``id``, ``registry``, ``family``, ``name``, ``version``, ``reason`` and ``by``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "wb") as lock:
        if not _locked(lock):
            return BUSY
        os.nice(_NICE)
        told = {key: asked[key] for key in ("id", "family", "name", "version", "reason", "by")}
        told |= {"state": "running", "step": "checking the files", "began": time.time(), "gates": [], "detail": ""}

        def tell(**news: Any) -> None:
            told.update(news)
            atomic_write(folder / STATE, json.dumps(told).encode(), flush=False)

        tell()
        try:
            _promote(asked, tell)
        except RefusedError as e:
            tell(state="refused", gates=[result.to_dict() for result in e.results], detail=str(e))
        except AuguryError as e:
            tell(state="failed", detail=str(e))
        except Exception as e:
            tell(state="failed", detail=f"a defect, {type(e).__name__}; the service's log says where")
            raise
        finally:
            tell(ended=time.time())
    return 0


def _locked(lock: IO[bytes]) -> bool:
    """Takes the lock, unless another promotion has it: who only looks whether there is one has it for a moment."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
    return False


def _promote(asked: dict[str, Any], tell: Any) -> None:
    from serving.promotion import replay_through_service

    registry, family, name, version = (asked[key] for key in ("registry", "family", "name", "version"))
    replay = replay_through_service(registry, family, name, version)

    def replayed(folder: Path) -> Any:
        tell(step="replaying the golden set through a service")
        return replay(folder)

    gates = Gates(Thresholds.of(family), replayed, rescorer(family))

    def check(candidate: Path, champion: Path | None) -> Any:
        tell(step="trying the gates")
        return gates.check(candidate, champion)

    champion = Registry(registry).promote(family, name, version, check, asked["reason"], asked["by"])
    tell(state="promoted", gates=list(champion.gates), replaced=champion.replaced)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.load(sys.stdin)))
