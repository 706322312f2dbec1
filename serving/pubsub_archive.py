"""The archive as a Pub/Sub topic: a line is a message, and durable when Pub/Sub has acknowledged it."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

import orjson
from google.api_core.exceptions import GoogleAPIError
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, PublisherOptions

from serving.archive import STREAMS, Appended
from serving.spool import ArchiveError

_TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")
_TIMEOUT_SECONDS = 10.0
_LATENCY_SECONDS = 0.005
_MAX_MESSAGES = 1000
_UNWELL_SECONDS = 10.0


class PubSubArchive:
    """Publishes lines to a topic, each with the attributes ``stream``, ``message_id`` and ``received_at_us``.

    Pub/Sub delivers at least once, and so may a retry here: whoever reads the topic drops copies by ``message_id``.
    """

    def __init__(self, topic: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Connects to nothing yet.

        Args:
            topic: ``projects/PROJECT/topics/TOPIC``.
            timeout_seconds: how long a message may take to be acknowledged.

        Raises:
            ArchiveError: no such form of a topic, or no credentials.
        """
        if not _TOPIC.fullmatch(topic):
            raise ArchiveError(f"{topic!r} is no Pub/Sub topic; expected projects/PROJECT/topics/TOPIC")
        self._topic = topic
        self._timeout_seconds = timeout_seconds
        self._failed_at: float | None = None
        self._closed = False
        try:
            self._client = PublisherClient(
                batch_settings=BatchSettings(max_messages=_MAX_MESSAGES, max_latency=_LATENCY_SECONDS),
                publisher_options=PublisherOptions(timeout=timeout_seconds),
            )
        except Exception as e:
            raise ArchiveError(f"Pub/Sub cannot be used ({_one_line(e)}); check the credentials") from e

    async def append(self, stream: str, lines: Sequence[bytes], received_at_us: int) -> Appended:
        """See ``serving.archive.Archive``."""
        if stream not in STREAMS:
            raise KeyError(stream)
        if self._closed:
            raise ArchiveError(f"cannot publish to {self._topic}: the archive is closed; the service is shutting down")
        try:
            futures = [
                asyncio.wrap_future(
                    self._client.publish(
                        self._topic,
                        line,
                        timeout=self._timeout_seconds,
                        stream=stream,
                        message_id=_message_id(line),
                        received_at_us=str(received_at_us),
                    )
                )
                for line in lines
            ]
            outcomes = await asyncio.wait_for(
                asyncio.gather(*futures, return_exceptions=True), 2 * self._timeout_seconds
            )
        except (GoogleAPIError, ValueError, TypeError, TimeoutError) as e:
            outcomes = [e]
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            self._failed_at = time.monotonic()
            raise ArchiveError(
                f"cannot publish to {self._topic}: {_one_line(failures[0])}; check that the topic is there and may be "
                "published to"
            ) from failures[0]
        self._failed_at = None
        return Appended(None)

    async def check(self) -> None:
        """See ``serving.archive.Archive``; a failure counts for some seconds, until the next try."""
        if self._failed_at is not None and time.monotonic() - self._failed_at < _UNWELL_SECONDS:
            raise ArchiveError(f"{self._topic} did not take the last messages; check Pub/Sub")

    async def close(self) -> None:
        """See ``serving.archive.Archive``."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._client.stop)


def _message_id(line: bytes) -> str:
    """Returns what copies of a message are known by; empty for a dead letter, which has no copies."""
    row: Any = orjson.loads(line)
    ids = ("messageId", "prediction_id", "heatmap_id", "recommendation_id")
    found = next((row[name] for name in ids if row.get(name)), None) if isinstance(row, dict) else None
    return found if isinstance(found, str) else ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
