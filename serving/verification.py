"""The golden set replayed through the service itself: raw events into a fast store, a request over HTTP, the answer.

Whatever lies between a visitor's events and the number that a site acts on is in between: the store and its rows,
sessions, the beginning of the instance, coding, micro-batches, the graph, JSON. The bits of every answer must be those
that training promised.
"""

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import redis

from features.checks import EVENT_TYPES
from features.errors import AuguryError
from features.recent_events import RecentRules, push_events
from features.recent_rules import MAX_AGE_DAYS
from features.spec import FeatureSpec
from features.storage import read_text
from models.registry import Registry
from serving.assembly import recent_rules
from serving.loaded import FAMILY
from serving.loopback import Loopback, loopback_service

_AT_ONCE = 8


class VerificationError(AuguryError, RuntimeError):
    """A version whose golden set could not be replayed through the service."""


@dataclass(frozen=True)
class Verification:
    """What the replay found.

    Attributes:
        total: instances asked about.
        identical: answers with the very bits that training promised.
        differing: some of the others.
        seconds: that asking took, the service running.
    """

    total: int
    identical: int
    differing: tuple[str, ...] = ()
    seconds: float = 0.0


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
    with loopback_service(
        registry=registry,
        models=(name,),
        model_poll_seconds=3600.0,
        store_events=_store_events(folder, instances),
        store_days=float(MAX_AGE_DAYS),
        store_types=EVENT_TYPES,
        prediction_log_share=0.0,
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
    parts = [visitors[start::_AT_ONCE] for start in range(min(_AT_ONCE, len(visitors)))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda part: list(_answers(service, name, version, part)), parts))
    answers: list[list[float]] = [[]] * len(visitors)
    for start, part in enumerate(found):
        answers[start::_AT_ONCE] = part
    return np.array(answers, np.float64).astype(np.float32)


def _answers(service: Loopback, name: str, version: str, visitors: list[str]) -> Iterator[list[float]]:
    """Asks for one visitor after the other on one connection."""
    connection = http.client.HTTPConnection(service.host, service.port, timeout=120)
    try:
        for visitor in visitors:
            path = f"/v1/predict/{quote(name)}/{quote(visitor)}?version={quote(version)}"
            connection.request("GET", path, headers={"Authorization": f"Bearer {service.admin_key}"})
            response = connection.getresponse()
            body = json.loads(response.read())
            if response.status != 200:
                raise VerificationError(f"the service does not answer with {name} {version}: {body['detail']}")
            yield body["probabilities"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as e:
        if isinstance(e, VerificationError):
            raise
        raise VerificationError(f"the service does not answer with {name} {version} ({e!r})") from e
    finally:
        connection.close()
