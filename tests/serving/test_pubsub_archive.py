"""The archive on a real Pub/Sub protocol: acknowledged when Pub/Sub has it, refused in one line when it has not."""

import asyncio
from collections.abc import Iterator

import orjson
import pytest
from google.cloud.pubsub_v1 import PublisherClient

from serving.pubsub_archive import PubSubArchive
from serving.spool import ArchiveError
from tests.pubsub_server import PubSubServer
from tests.spooled import NOON_US, message

TOPIC = "projects/test-proj/topics/received"


def _order(attributes: dict[str, str]) -> tuple[str, str]:
    return attributes["stream"], attributes["message_id"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubServer]:
    with PubSubServer() as running:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.address)
        PublisherClient().create_topic(name=TOPIC)
        yield running


def test_lines_are_messages_with_their_stream_and_id(server: PubSubServer) -> None:
    async def run() -> None:
        archive = PubSubArchive(TOPIC)
        lines = [orjson.dumps(message(str(i))) for i in range(3)]
        appended = await archive.append("events", lines, NOON_US)
        await archive.append("rejected", [b'{"reason":"no_time","row":"{}"}'], NOON_US)
        await archive.append("predictions", [b'{"prediction_id":"p"}'], NOON_US)
        assert (appended.path, {item.data for item in server.published[TOPIC][:3]}) == (None, {*lines})
        await archive.check()
        await archive.close()
        with pytest.raises(ArchiveError, match="the archive is closed; the service is shutting down"):
            await archive.append("events", lines, NOON_US)

    asyncio.run(run())
    attributes = sorted((dict(item.attributes) for item in server.published[TOPIC]), key=_order)
    at = {"received_at_us": str(NOON_US)}
    expected = [{"stream": "events", "message_id": str(i), **at} for i in range(3)]
    expected += [{"stream": "rejected", "message_id": "", **at}, {"stream": "predictions", "message_id": "p", **at}]
    assert attributes == sorted(expected, key=_order)


def test_a_topic_that_is_not_there_is_one_clear_error(server: PubSubServer) -> None:
    async def run() -> None:
        archive = PubSubArchive("projects/test-proj/topics/absent", timeout_seconds=2)
        with pytest.raises(ArchiveError, match="cannot publish to projects/test-proj/topics/absent: .*check that the"):
            await archive.append("events", [orjson.dumps(message("1"))], NOON_US)
        with pytest.raises(ArchiveError, match="did not take the last messages; check Pub/Sub"):
            await archive.check()
        await archive.close()

    asyncio.run(run())


def test_a_name_that_is_no_topic_is_refused() -> None:
    with pytest.raises(ArchiveError, match="'received' is no Pub/Sub topic; expected projects/PROJECT/topics/TOPIC"):
        PubSubArchive("received")
