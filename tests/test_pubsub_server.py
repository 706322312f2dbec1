"""The stand-in for Pub/Sub does what the service's clients count on."""

import time
from collections.abc import Iterator

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import pubsub_v1

from tests.pubsub_server import PubSubServer

TOPIC = "projects/test-proj/topics/events"
SUBSCRIPTION = "projects/test-proj/subscriptions/events"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubServer]:
    with PubSubServer() as running:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", running.address)
        yield running


@pytest.fixture
def publisher(server: PubSubServer) -> Iterator[pubsub_v1.PublisherClient]:
    client = pubsub_v1.PublisherClient()
    client.create_topic(name=TOPIC)
    yield client
    client.stop()
    client.transport.close()


@pytest.fixture
def subscriber(publisher: pubsub_v1.PublisherClient) -> Iterator[pubsub_v1.SubscriberClient]:
    with pubsub_v1.SubscriberClient() as client:
        yield client


def pull(subscriber: pubsub_v1.SubscriberClient, most: int = 100) -> list[tuple[str, bytes]]:
    answer = subscriber.pull(subscription=SUBSCRIPTION, max_messages=most)
    return [(received.ack_id, received.message.data) for received in answer.received_messages]


def test_what_is_published_is_delivered_until_it_is_acknowledged(
    server: PubSubServer, publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    futures = [publisher.publish(TOPIC, data, kind="test") for data in (b"one", b"two", b"three")]
    ids = [future.result(timeout=10) for future in futures]
    assert len(set(ids)) == 3
    first, second, third = sorted(pull(subscriber), key=lambda pair: (b"one", b"two", b"three").index(pair[1]))
    assert pull(subscriber) == []  # all three are held
    subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[first[0]])
    subscriber.modify_ack_deadline(subscription=SUBSCRIPTION, ack_ids=[second[0]], ack_deadline_seconds=0)
    assert [data for _, data in pull(subscriber)] == [b"two"]
    assert server.unacknowledged(SUBSCRIPTION) == 2  # two, once more, and three
    assert {m.data: dict(m.attributes) for m in server.published[TOPIC]}[third[1]] == {"kind": "test"}


def test_what_nobody_acknowledges_in_time_comes_again(
    publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    publisher.publish(TOPIC, b"one").result(timeout=10)
    [(ack_id, _)] = pull(subscriber)
    subscriber.modify_ack_deadline(subscription=SUBSCRIPTION, ack_ids=[ack_id], ack_deadline_seconds=1)
    until = time.monotonic() + 10
    while not (again := pull(subscriber)) and time.monotonic() < until:
        pass
    assert [data for _, data in again] == [b"one"]


def test_a_filter_keeps_other_messages_from_a_subscription(
    publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    wanted = 'attributes.stream = "events"'
    subscriber.create_subscription(request={"name": SUBSCRIPTION, "topic": TOPIC, "filter": wanted})
    for stream in ("events", "predictions"):
        publisher.publish(TOPIC, stream.encode(), stream=stream).result(timeout=10)
    assert [data for _, data in pull(subscriber)] == [b"events"]


def test_what_does_not_exist_or_cannot_be_is_refused(
    server: PubSubServer, publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    with pytest.raises(NotFound):
        publisher.publish("projects/test-proj/topics/none", b"x").result(timeout=10)
    with pytest.raises(NotFound):
        pull(subscriber)
    with pytest.raises(InvalidArgument):
        subscriber.create_subscription(request={"name": SUBSCRIPTION, "topic": TOPIC, "filter": "what"})
    with grpc.insecure_channel(server.address) as channel:
        method = channel.unary_unary("/google.pubsub.v1.Publisher/ListTopics")
        with pytest.raises(grpc.RpcError) as caught:
            method(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
