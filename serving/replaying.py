"""Asking a service of one's own about a golden set: many requests, a few at once, in order."""

import http.client
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from features.errors import AuguryError
from serving.loopback import Loopback, loopback_service

_AT_ONCE = 8
_SECONDS = 120.0


class VerificationError(AuguryError, RuntimeError):
    """A version whose golden set could not be replayed through the service."""


@dataclass(frozen=True)
class Verification:
    """What a replay found.

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


class Asking(NamedTuple):
    """A request: method, path with query, body and its type."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = ""


def replay_service(registry: str, model: str, **settings: Any) -> AbstractContextManager[Loopback]:
    """Runs a service for a replay: it answers with one model, looks for no new champion and logs no prediction.

    Args:
        registry: its local folder or ``gs://`` URL.
        model: as the setting ``models`` names it.
        settings: others, as ``loopback_service`` takes them.
    """
    return loopback_service(
        registry=registry, models=(model,), model_poll_seconds=3600.0, prediction_log_share=0.0, **settings
    )


def ask_all(service: Loopback, model: str, requests: Sequence[Asking], at_once: int = _AT_ONCE) -> list[bytes]:
    """Returns the bodies of the answers (N,), in the order of the requests.

    Args:
        service: that is asked, with its admin key.
        model: name and version, for errors.
        requests: (N,).
        at_once: connections.

    Raises:
        VerificationError: an answer other than 200, or none.
    """
    parts = [requests[start::at_once] for start in range(min(at_once, len(requests)))]
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda part: list(_answers(service, model, part)), parts))
    answers = [b""] * len(requests)
    for start, part in enumerate(found):
        answers[start::at_once] = part
    return answers


def _answers(service: Loopback, model: str, requests: Sequence[Asking]) -> Iterator[bytes]:
    """Asks one thing after the other on one connection."""
    connection = http.client.HTTPConnection(service.host, service.port, timeout=_SECONDS)
    try:
        for asking in requests:
            headers = {"Authorization": f"Bearer {service.admin_key}"}
            if asking.content_type:
                headers["Content-Type"] = asking.content_type
            connection.request(asking.method, asking.path, asking.body, headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise VerificationError(f"the service does not answer with {model}: {json.loads(body)['detail']}")
            yield body
    except (OSError, http.client.HTTPException, ValueError, KeyError) as e:
        if isinstance(e, VerificationError):
            raise
        raise VerificationError(f"the service does not answer with {model} ({e!r})") from e
    finally:
        connection.close()
