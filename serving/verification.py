"""The golden set replayed through the service itself: raw events into a fast store, a request over HTTP, the answer.

Whatever lies between a visitor's events and the number that a site acts on is in between: the store and its rows,
sessions, the beginning of the instance, coding, micro-batches, the graph, JSON. The bits of every answer must be those
that training promised.
"""

import json
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import redis

from features.checks import EVENT_TYPES
from features.recent_events import RecentRules, push_events
from features.recent_rules import MAX_AGE_DAYS
from features.spec import FeatureSpec
from features.storage import read_text
from models.behavior.loaded import FAMILY
from models.registry import Registry
from serving.assembly import recent_rules
from serving.loopback import Loopback
from serving.replaying import Asking, Verification, VerificationError, ask_all, replay_service


def verify(registry: str, name: str, version: str) -> Verification:
    """Replays a version's golden set through a service of its own: a private store, a loopback port.

    Args:
        registry: its local folder or ``gs://`` URL.
        name: of the model, in the family ``behavior``.
        version: by its whole name; it need not be the champion.

    Raises:
        VerificationError: the service does not answer as it should.
        RegistryError: there is no such version.
        GoldenError: its golden set is missing or damaged.
        IntegrityError: its files are not what was published.
    """
    from models.behavior.golden import compare, raw_events, read

    folder = Registry(registry).open_version(FAMILY, name, version)
    instances, promised = read(folder)
    visitors = pa.array([f"golden-{index:06d}" for index in range(len(promised))])
    events = raw_events(instances, visitors)
    with replay_service(
        registry,
        name,
        store_events=_store_events(folder, instances),
        store_days=float(MAX_AGE_DAYS),
        store_types=EVENT_TYPES,
        cleaning=None,
    ) as service:
        _push(service, events)
        began = time.perf_counter()
        answers = _ask(service, name, version, visitors.to_pylist())
        seconds = time.perf_counter() - began
    if answers.shape != promised.shape:
        raise VerificationError(f"the service answered with {answers.shape[1]} classes, promised {promised.shape[1]}")
    found = compare(instances, promised, answers)
    return Verification(found.total, found.identical, found.differing, seconds)


def _store_events(folder: Path, instances: pa.Table) -> int:
    """Returns how many events of a visitor the store must keep: all of an instance, hidden ones among them."""
    longest = max((len(events) for events in instances.column("events")), default=0)
    sequence_length = FeatureSpec.from_json(read_text(folder / "feature_spec.json")).sequence_length
    return max(RecentRules().count, sequence_length, longest)


def _push(service: Loopback, events: pa.RecordBatch) -> None:
    client = redis.Redis.from_url(service.settings.redis_url or "")
    try:
        counts = push_events(client, events, recent_rules(service.settings), time.time_ns() // 1000)
    except redis.RedisError as e:
        raise VerificationError(f"the golden set cannot be put into the private store ({type(e).__name__})") from e
    finally:
        client.close()
    if counts.new != counts.total:
        raise VerificationError(
            f"only {counts.new} of {counts.total} golden events are kept by the fast store ({counts}); "
            "write the examples again"
        )


def _ask(service: Loopback, name: str, version: str, visitors: list[str]) -> npt.NDArray[np.float32]:
    """Returns what the service answers, float32 (N, C)."""
    paths = [f"/v1/predict/{quote(name)}/{quote(visitor)}?version={quote(version)}" for visitor in visitors]
    answers = ask_all(service, f"{name} {version}", [Asking("GET", path) for path in paths])
    try:
        return np.array([json.loads(answer)["probabilities"] for answer in answers], np.float64).astype(np.float32)
    except (ValueError, KeyError) as e:
        raise VerificationError(f"the service does not answer with {name} {version} ({e!r})") from e
