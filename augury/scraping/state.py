"""What a scrape has got so far, on disk: a run that was killed goes on where it was, a later run asks what changed.

One SQLite file in the output folder. Every page and image is written, in one transaction, when it is done.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from augury.scraping.options import ScrapeError
from features.storage import explained

STATE = "state.sqlite"
_VERSION = 1
# With a write-ahead log a power cut may undo the last steps, which are then repeated, but breaks nothing.
_TABLES = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS got (
    kind TEXT NOT NULL, url TEXT NOT NULL, run INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    etag TEXT NOT NULL, modified TEXT NOT NULL, fetched_at_us INTEGER NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (kind, url)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Got:
    """What became of one URL.

    Attributes:
        run: in which it was last asked for.
        reason: why it failed, or empty.
        detail: of the failure, for people.
        etag: that the server gave, or empty; likewise ``modified``, its Last-Modified.
        fetched_at_us: when the content came, int64 microseconds UTC.
        content: what was taken of it, JSON: of a page its items, of an image where it is.
    """

    run: int
    reason: str = ""
    detail: str = ""
    etag: str = ""
    modified: str = ""
    fetched_at_us: int = 0
    content: str = "{}"

    def conditions(self) -> dict[str, str]:
        """Returns the headers of a conditional request (RFC 9110, section 13.1)."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value} if not self.reason else {}


class State:
    """The state of one output folder, for one process at a time.

    Args:
        folder: the output folder; it is made.
        recipe: the name of the recipe; a folder belongs to one.

    Attributes:
        run: number of this run; what was got in it is not asked for again.
        resumed: whether the run was begun by an earlier process.

    Raises:
        ScrapeError: another process writes there, or it is another recipe's, or the state cannot be read.
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: str, recipe: str, now_us: int, resume_us: int) -> None:
        path = Path(folder) / STATE
        with explained(folder, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.parent / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(self._lock)
            raise ScrapeError(f"another scrape is writing to {folder}; wait for it, or choose another folder") from e
        try:
            with _readable(path):
                self._db = sqlite3.connect(path, isolation_level=None)
                [found] = self._db.execute("PRAGMA user_version").fetchone()
                if found not in (0, _VERSION):
                    raise ScrapeError(f"{path} was written by another version; choose another folder")
                self._db.executescript(_TABLES)
                self._begin(folder, recipe, now_us, resume_us)
        except BaseException:
            os.close(self._lock)
            raise

    def _begin(self, folder: str, recipe: str, now_us: int, resume_us: int) -> None:
        about = dict(self._db.execute("SELECT key, value FROM about").fetchall())
        if about.get("recipe", recipe) != recipe:
            raise ScrapeError(f"{folder} holds a scrape by the recipe {about['recipe']!r}; choose another folder")
        self.resumed = about.get("open") == "yes" and now_us - int(about["begun_us"]) <= resume_us
        self.run = int(about.get("run", "0")) + (not self.resumed)
        self.begun_us = int(about["begun_us"]) if self.resumed else now_us
        new = {"recipe": recipe, "open": "yes", "run": str(self.run), "begun_us": str(self.begun_us)}
        with self._transaction():
            self._db.executemany("REPLACE INTO about VALUES (?, ?)", list(new.items()))

    def __enter__(self) -> "State":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()
        os.close(self._lock)

    def get(self, kind: str, url: str) -> Got | None:
        """Returns what became of a URL, in this run or an earlier one."""
        found = self._db.execute(
            "SELECT run, reason, detail, etag, modified, fetched_at_us, content FROM got WHERE kind = ? AND url = ?",
            (kind, url),
        ).fetchone()
        return Got(*found) if found else None

    def put(self, kind: str, url: str, got: Got) -> None:
        """Writes what became of a URL."""
        row = (kind, url, got.run, got.reason, got.detail, got.etag, got.modified, got.fetched_at_us, got.content)
        with self._transaction():
            self._db.execute("REPLACE INTO got VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def finish(self) -> None:
        """Ends the run: the next one asks for everything anew, on the condition that it changed."""
        with self._transaction():
            self._db.execute("REPLACE INTO about VALUES ('open', 'no')")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as e:
            raise ScrapeError(f"the state cannot be written ({e}); free some space, or mend the permissions") from e


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as e:
        raise ScrapeError(f"{path} cannot be read as the state of a scrape ({e}); choose another folder") from e


def as_json(content: Mapping[str, object]) -> str:
    """Returns what ``Got.content`` holds."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True)
