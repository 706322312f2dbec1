"""The models of a family that a worker answers with: champions, followed as they change, and versions by name.

Everything slow - reading the registry, loading, trying out - happens in a thread. A version takes a champion's place
only after it has given, bit for bit, some of the predictions that training promised; until then, and if it never does,
the one before answers.
"""

import asyncio
import contextlib
import logging
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter

from features.errors import AuguryError
from models.registry import Registry, RegistryError

_PINNED = 2
_AGAIN_SECONDS = 60.0
_LIST_SECONDS = 10.0

_log = logging.getLogger(__name__)


class UnknownModelError(AuguryError, LookupError):
    """A model or version that is not there."""


class ModelUnavailableError(AuguryError, RuntimeError):
    """A model whose champion could not be loaded."""


class Loaded(Protocol):
    """A version ready to answer; safe to use from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def loaded_at_us(self) -> int: ...

    def described(self) -> dict[str, Any]:
        """Returns what an administrator is told of it, beside name, version and time: fields of ``ServedModel``."""


M = TypeVar("M", bound=Loaded)


@dataclass(frozen=True)
class Family(Generic[M]):
    """What a shelf must know of a family of models.

    Attributes:
        name: of the family.
        load: a version's verified folder, its name and version -> the model, loaded.
        try_out: has a loaded model answer some of its folder's golden set as it will be asked to; raises
            ``AuguryError`` if an answer is another than training computed.
    """

    name: str
    load: Callable[[Path, str, str], M]
    try_out: Callable[[M, Path], None]


@dataclass
class _Slot(Generic[M]):
    """What is known of one model; ``tried`` is the version that last failed, ``tried_at`` when (monotonic seconds)."""

    champion: M | None = None
    error: str = ""
    tried: str = ""
    tried_at: float = 0.0


class ModelShelf(Generic[M]):
    """The models of one family in a worker; for the tasks of one event loop.

    Attributes:
        family: name of the family.
        names: the models that are answered with, sorted.
    """

    def __init__(
        self,
        registry: str | os.PathLike[str] | Registry,
        family: Family[M],
        names: Sequence[str],
        poll_seconds: float,
        *,
        loads: Counter | None = None,
    ) -> None:
        """Loads nothing yet.

        Args:
            registry: a registry, or its local folder or ``gs://`` URL.
            family: of the models.
            names: models to answer with; none: every one that has a champion.
            poll_seconds: how often new champions are looked for: one small file is read for each model. Models that
                are new to the registry are looked for every 10 seconds at most, since a folder is listed for that.
            loads: where loads are counted; see ``loads_counter``.
        """
        self._registry = registry if isinstance(registry, Registry) else Registry(registry)
        self._family = family
        self.family = family.name
        self._wanted = tuple(names)
        self._poll_seconds = poll_seconds
        self._slots: dict[str, _Slot[M]] = {name: _Slot() for name in names}
        self._pinned: OrderedDict[tuple[str, str], M] = OrderedDict()
        self._lock = asyncio.Lock()
        self._polled = False
        self._listed: list[str] = []
        self._listed_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._loads = loads if loads is not None else loads_counter(CollectorRegistry())

    @property
    def names(self) -> list[str]:
        return sorted(self._slots)

    @property
    def ready(self) -> bool:
        """Whether every model that should be there is."""
        return self._polled and all(slot.champion is not None for slot in self._slots.values())

    def champion(self, name: str) -> M | None:
        """Returns the champion that is answered with, or None while there is none."""
        slot = self._slots.get(name)
        return slot.champion if slot else None

    def error(self, name: str) -> str:
        """Returns why the registry's champion is not the one that is answered with; empty if it is."""
        slot = self._slots.get(name)
        return slot.error if slot else ""

    async def start(self) -> None:
        """Loads the champions, then follows them."""
        await self.refresh()
        self._task = asyncio.get_running_loop().create_task(self._follow(), name=f"follow champions of {self.family}")

    async def close(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def get(self, name: str, version: str | None = None) -> M:
        """Returns a model to answer with.

        Args:
            name: of the model.
            version: a version by its whole name; None: the champion. It is loaded if it is not yet; few stay.

        Raises:
            UnknownModelError: no such model or version, or not one that this service answers with.
            ModelUnavailableError: it cannot be loaded.
        """
        if name not in self._slots and (self._wanted or version is None):
            raise UnknownModelError(f"no model {name!r} is served here; served: {', '.join(self.names) or 'none'}")
        champion = self.champion(name)
        if version is None or (champion is not None and champion.version == version):
            if champion is None:
                raise ModelUnavailableError(f"model {name!r} has no champion that can be loaded now; promote a version")
            return champion
        key = (name, version)
        if key not in self._pinned:
            async with self._lock:
                if key not in self._pinned:
                    self._pinned[key] = await self._open(name, version)
                    while len(self._pinned) > _PINNED:
                        self._pinned.popitem(last=False)
        self._pinned.move_to_end(key)
        return self._pinned[key]

    async def refresh(self, name: str | None = None, *, listed_before: float = math.inf) -> None:
        """Looks for new champions now.

        Args:
            name: of the one model to look after, even if its version failed a moment ago; None: all of them. One
                that this service does not answer with is left alone.
            listed_before: the registry is asked for its models again if it was asked before that (monotonic seconds).
        """
        if name and self._wanted and name not in self._wanted:
            return
        async with self._lock:
            try:
                for each in [name] if name else list(self._wanted) or await self._names(listed_before):
                    await self._refresh(each, force=name is not None)
            except (AuguryError, OSError) as e:
                _log.error("the model registry cannot be read: %s", e)
                return
            self._polled = True

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.refresh(listed_before=time.monotonic() - _LIST_SECONDS)
            except Exception:  # noqa: BLE001 - whatever it was, the next look may go well
                _log.exception("looking for new champions failed")

    async def _names(self, listed_before: float) -> list[str]:
        """Returns the names of the family's models, asking the registry if it was not asked of late."""
        if self._listed_at < listed_before:
            self._listed = await asyncio.to_thread(self._registry.names, self.family)
            self._listed_at = time.monotonic()
        return self._listed

    async def _refresh(self, name: str, force: bool) -> None:
        slot: _Slot[M] = self._slots.get(name, _Slot())
        try:
            found = await asyncio.to_thread(self._registry.champion, self.family, name)
        except AuguryError as e:
            if name in self._slots:
                self._fail(name, slot, "champion.json", str(e))
            return
        if found is None or (slot.champion is not None and slot.champion.version == found.version):
            slot.error = ""
            return
        self._slots[name] = slot
        if slot.tried == found.version and not force and time.monotonic() - slot.tried_at < _AGAIN_SECONDS:
            return
        try:
            loaded = await self._open(name, found.version)
        except (UnknownModelError, ModelUnavailableError) as e:
            self._fail(name, slot, found.version, str(e))
            return
        before, slot.champion = slot.champion, loaded
        slot.error = slot.tried = ""
        _log.info("model %s: champion is %s, was %s", name, loaded.version, before.version if before else None)

    def _fail(self, name: str, slot: _Slot[M], what: str, error: str) -> None:
        slot.error, slot.tried, slot.tried_at = error, what, time.monotonic()
        kept = slot.champion.version if slot.champion else None
        _log.error("model %s: %s is not taken, %s stays: %s", name, what, kept, error)

    async def _open(self, name: str, version: str) -> M:
        """Returns a version, verified, loaded and tried out."""
        try:
            loaded = await asyncio.to_thread(self._load_checked, name, version)
        except RegistryError as e:
            raise UnknownModelError(f"model {name!r} has no version {version!r}") from e
        except Exception as e:
            self._loads.labels(self.family, name, "failed").inc()
            if not isinstance(e, AuguryError):
                _log.exception("model %s: %s cannot be loaded", name, version)
            why = str(e) if isinstance(e, AuguryError) else f"it cannot be loaded ({type(e).__name__})"
            raise ModelUnavailableError(why) from e
        self._loads.labels(self.family, name, "loaded").inc()
        return loaded

    def _load_checked(self, name: str, version: str) -> M:
        folder = self._registry.open_version(self.family, name, version)
        loaded = self._family.load(folder, name, version)
        self._family.try_out(loaded, folder)
        return loaded


def loads_counter(registry: CollectorRegistry) -> Counter:
    """Returns the counter that all shelves of a worker share."""
    text = "Versions of models that were loaded, by how it went"
    return Counter("augury_model_loads", text, ("family", "model", "outcome"), registry=registry)
