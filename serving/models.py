"""The models that a worker answers with: each champion, followed as it changes, and versions asked for by name.

Everything slow - reading the registry, loading, trying out - happens in a thread. A version takes a champion's place
only after it has given, bit for bit, some of the predictions that training promised; until then, and if it never does,
the one before answers.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from prometheus_client import CollectorRegistry, Counter

from features.errors import AuguryError
from features.recent_events import RecentRules, encode_events
from models.registry import Registry, RegistryError
from serving.loaded import FAMILY, LoadedModel, ModelError, load_model
from serving.scoring import History, score

_SPOT_CHECK = 16
_PINNED = 2
_AGAIN_SECONDS = 60.0

Load = Callable[[Path, str, str, RecentRules | None], LoadedModel]

_log = logging.getLogger(__name__)


class UnknownModelError(AuguryError, LookupError):
    """A model or version that is not there."""


class ModelUnavailableError(AuguryError, RuntimeError):
    """A model whose champion could not be loaded."""


@dataclass
class _Slot:
    """What is known of one model; ``tried`` is the version that last failed, ``tried_at`` when (monotonic seconds)."""

    champion: LoadedModel | None = None
    error: str = ""
    tried: str = ""
    tried_at: float = 0.0


class ModelShelf:
    """The models of a worker; for the tasks of one event loop.

    Attributes:
        names: the models that are answered with, sorted.
    """

    def __init__(
        self,
        registry: str | os.PathLike[str] | Registry,
        names: Sequence[str],
        poll_seconds: float,
        *,
        rules: RecentRules | None = None,
        counted_in: CollectorRegistry | None = None,
        load: Load = load_model,
    ) -> None:
        """Loads nothing yet.

        Args:
            registry: a registry, or its local folder or ``gs://`` URL.
            names: models to answer with; none: every one that has a champion.
            poll_seconds: how often new champions are looked for.
            rules: what the fast store keeps; a model in need of more is refused.
            counted_in: where loads are counted.
            load: loads a version.
        """
        self._registry = registry if isinstance(registry, Registry) else Registry(registry)
        self._wanted = tuple(names)
        self._poll_seconds = poll_seconds
        self._rules = rules
        self._load = load
        self._slots: dict[str, _Slot] = {name: _Slot() for name in names}
        self._pinned: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()
        self._lock = asyncio.Lock()
        self._polled = False
        self._task: asyncio.Task[None] | None = None
        self._loads = Counter(
            "augury_model_loads",
            "Versions of models that were loaded, by how it went",
            ("model", "outcome"),
            registry=counted_in if counted_in is not None else CollectorRegistry(),
        )

    @property
    def names(self) -> list[str]:
        return sorted(self._slots)

    @property
    def ready(self) -> bool:
        """Whether every model that should be there is."""
        return self._polled and all(slot.champion is not None for slot in self._slots.values())

    def champion(self, name: str) -> LoadedModel | None:
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
        self._task = asyncio.get_running_loop().create_task(self._follow(), name="follow champions")

    async def close(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def get(self, name: str, version: str | None = None) -> LoadedModel:
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

    async def refresh(self, name: str | None = None) -> None:
        """Looks for new champions now.

        Args:
            name: of the one model to look after, even if its version failed a moment ago; None: all of them. One
                that this service does not answer with is left alone.
        """
        if name and self._wanted and name not in self._wanted:
            return
        async with self._lock:
            try:
                names = [name] if name else list(self._wanted) or await asyncio.to_thread(self._registry.names, FAMILY)
                for each in names:
                    await self._refresh(each, force=name is not None)
            except (AuguryError, OSError) as e:
                _log.error("the model registry cannot be read: %s", e)
                return
            self._polled = True

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - whatever it was, the next look may go well
                _log.exception("looking for new champions failed")

    async def _refresh(self, name: str, force: bool) -> None:
        slot = self._slots.get(name, _Slot())
        try:
            found = await asyncio.to_thread(self._registry.champion, FAMILY, name)
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

    def _fail(self, name: str, slot: _Slot, what: str, error: str) -> None:
        slot.error, slot.tried, slot.tried_at = error, what, time.monotonic()
        kept = slot.champion.version if slot.champion else None
        _log.error("model %s: %s is not taken, %s stays: %s", name, what, kept, error)

    async def _open(self, name: str, version: str) -> LoadedModel:
        """Returns a version, verified, loaded and tried out."""
        try:
            loaded = await asyncio.to_thread(self._load_checked, name, version)
        except RegistryError as e:
            raise UnknownModelError(f"model {name!r} has no version {version!r}") from e
        except Exception as e:
            self._loads.labels(name, "failed").inc()
            if not isinstance(e, AuguryError):
                _log.exception("model %s: %s cannot be loaded", name, version)
            why = str(e) if isinstance(e, AuguryError) else f"it cannot be loaded ({type(e).__name__})"
            raise ModelUnavailableError(why) from e
        self._loads.labels(name, "loaded").inc()
        return loaded

    def _load_checked(self, name: str, version: str) -> LoadedModel:
        folder = self._registry.open_version(FAMILY, name, version)
        loaded = self._load(folder, name, version, self._rules)
        spot_check(loaded, folder)
        return loaded


def spot_check(model: LoadedModel, folder: Path) -> None:
    """Has a model predict some instances of its golden set as it will be asked to.

    Raises:
        ModelError: a prediction is another than training computed.
        GoldenError: there is no golden set.
    """
    from models.behavior.golden import raw_events, read

    instances, promised = read(folder)
    instances, promised = instances.slice(0, _SPOT_CHECK), promised[:_SPOT_CHECK]
    names = pa.array([f"{index:06d}" for index in range(len(promised))])
    events = raw_events(instances, names)
    rows: list[list[bytes]] = [[] for _ in range(len(promised))]
    for owner, row in zip(events.column("anonymous_id").to_pylist(), encode_events(events), strict=True):
        rows[int(owner)].append(row)
    found = np.stack([each.probabilities for each in score(model, [History(each) for each in rows])])
    wrong = np.flatnonzero((found.view(np.uint32) != promised.view(np.uint32)).any(axis=1))
    if len(wrong):
        raise ModelError(
            f"{model.name} {model.version} gives other predictions than training computed in {len(wrong)} of "
            f"{len(promised)} golden instances; train again with this release"
        )
