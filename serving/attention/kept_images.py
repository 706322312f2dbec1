"""Images kept beside the log of heatmaps, where a setting asks for it: few, and for some time only."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from features.storage import atomic_write

_DAY_SECONDS = 86_400.0


class KeptImages:
    """A folder of image files, each under the SHA-256 of its bytes, as the log names it; safe for several threads.

    The oldest leave when there are too many bytes, and each when it is too old. Several workers may share the folder.
    """

    def __init__(self, folder: Path, most_bytes: int, days: float, *, now: Callable[[], float] = time.time) -> None:
        """Writes nothing yet.

        Args:
            folder: where the files are; it need not exist.
            most_bytes: of all files together; 0 keeps none, and removes what was kept before.
            days: that a file is kept.
            now: the clock, seconds.
        """
        self._folder, self._most_bytes, self._days, self._now = folder, most_bytes, days, now

    def keep(self, digest: str, data: bytes) -> bool:
        """Writes an image, unless it is larger than all may be; says whether it is there.

        Args:
            digest: SHA-256 of the file, in hex.
            data: the file.

        Raises:
            StorageError: the disk cannot be written.
        """
        if len(data) > self._most_bytes:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self._folder / digest, data, flush=False)
        self.prune()
        return True

    def prune(self) -> int:
        """Removes what is too old or too much, oldest first; returns how many files went."""
        found = []
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):  # another worker was faster
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        oldest, held, removed = self._now() - self._days * _DAY_SECONDS, sum(size for _, size, _ in found), 0
        for modified, size, path in sorted(found):
            if modified >= oldest and held <= self._most_bytes:
                break
            path.unlink(missing_ok=True)
            held -= size
            removed += 1
        return removed
