"""A Pub/Sub server in memory: the real protocol over gRPC, so that the real clients and Beam's source talk to it.

Topics, subscriptions (with the filter ``attributes.NAME = "VALUE"``), publishing, pulling (unary), acknowledging and
redelivery when a deadline passes or is set to zero. Everything else is refused as unimplemented.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from google.pubsub_v1 import types

IDLE_PULL_SECONDS = 0.05
"""How long a pull waits for a first message; the real service waits longer, and a streaming DirectRunner with it."""

Message = Any  # the protobuf class behind google.pubsub_v1.types.PubsubMessage


@dataclass
class _Subscription:
    """One subscriber's queue; ``held`` is what was delivered and not acknowledged, with the time it comes back."""

    topic: str
    deadline_seconds: float
    accepts: Callable[[Message], bool]
    waiting: deque[Message] = field(default_factory=deque)
    held: dict[str, tuple[Message, float]] = field(default_factory=dict)


class PubSubServer:
    """``with PubSubServer() as server:`` listens on ``server.address`` until the block ends.

    Attributes:
        address: host and port, what ``PUBSUB_EMULATOR_HOST`` wants.
        published: topic path -> every message published to it, in order.
        delivered: how many messages were handed out, redeliveries included.
    """

    def __init__(self, port: int = 0) -> None:
        self.published: dict[str, list[Message]] = {}
        self.delivered = 0
        self._subscriptions: dict[str, _Subscription] = {}
        self._changed = threading.Condition()
        self._number = 0
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            [
                _handlers(
                    "Publisher",
                    CreateTopic=(types.Topic, self._create_topic),
                    GetTopic=(types.GetTopicRequest, self._get_topic),
                    Publish=(types.PublishRequest, self._publish),
                ),
                _handlers(
                    "Subscriber",
                    CreateSubscription=(types.Subscription, self._create_subscription),
                    DeleteSubscription=(types.DeleteSubscriptionRequest, self._delete_subscription),
                    Pull=(types.PullRequest, self._pull),
                    Acknowledge=(types.AcknowledgeRequest, self._acknowledge),
                    ModifyAckDeadline=(types.ModifyAckDeadlineRequest, self._modify_deadline),
                ),
            ]
        )
        self.address = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"

    def __enter__(self) -> "PubSubServer":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def unacknowledged(self, subscription: str) -> int:
        """Returns how many messages of a subscription still wait or are held by a subscriber."""
        with self._changed:
            found = self._subscriptions[subscription]
            return len(found.waiting) + len(found.held)

    def _create_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            if request.name in self.published:
                _refuse(context, grpc.StatusCode.ALREADY_EXISTS, request.name)
            self.published[request.name] = []
        return request

    def _get_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.topic not in self.published:
            _refuse(context, grpc.StatusCode.NOT_FOUND, request.topic)
        return types.Topic.pb()(name=request.topic)

    def _publish(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            if request.topic not in self.published:
                _refuse(context, grpc.StatusCode.NOT_FOUND, request.topic)
            for message in request.messages:
                if not message.data and not message.attributes:
                    _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "a message without data and attributes")
            for message in request.messages:
                self._number += 1
                message.message_id = str(self._number)
                message.publish_time.GetCurrentTime()
                self.published[request.topic].append(message)
                for subscription in self._subscriptions.values():
                    if subscription.topic == request.topic and subscription.accepts(message):
                        subscription.waiting.append(message)
            self._changed.notify_all()
        return types.PublishResponse.pb()(message_ids=[message.message_id for message in request.messages])

    def _create_subscription(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            if request.topic not in self.published:
                _refuse(context, grpc.StatusCode.NOT_FOUND, request.topic)
            if request.name in self._subscriptions:
                _refuse(context, grpc.StatusCode.ALREADY_EXISTS, request.name)
            accepts = _filter(request.filter, context)
            self._subscriptions[request.name] = _Subscription(
                request.topic, request.ack_deadline_seconds or 10, accepts
            )
        return request

    def _delete_subscription(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            self._find(request.subscription, context)
            del self._subscriptions[request.subscription]
        return Empty()

    def _pull(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            subscription = self._find(request.subscription, context)
            _take_back(subscription, lambda _, until: until <= time.monotonic())
            self._changed.wait_for(lambda: subscription.waiting, IDLE_PULL_SECONDS)
            response = types.PullResponse.pb()()
            while subscription.waiting and len(response.received_messages) < request.max_messages:
                self.delivered += 1
                ack_id, message = f"ack-{self.delivered}", subscription.waiting.popleft()
                subscription.held[ack_id] = (message, time.monotonic() + subscription.deadline_seconds)
                response.received_messages.add(ack_id=ack_id, message=message)
        return response

    def _acknowledge(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            subscription = self._find(request.subscription, context)
            for ack_id in request.ack_ids:
                subscription.held.pop(ack_id, None)
        return Empty()

    def _modify_deadline(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._changed:
            subscription = self._find(request.subscription, context)
            until = time.monotonic() + request.ack_deadline_seconds
            for ack_id in set(request.ack_ids) & set(subscription.held):
                subscription.held[ack_id] = (subscription.held[ack_id][0], until)
            if not request.ack_deadline_seconds:
                _take_back(subscription, lambda ack_id, _: ack_id in request.ack_ids)
            self._changed.notify_all()
        return Empty()

    def _find(self, name: str, context: grpc.ServicerContext) -> _Subscription:
        if name not in self._subscriptions:
            _refuse(context, grpc.StatusCode.NOT_FOUND, name)
        return self._subscriptions[name]


def _take_back(subscription: _Subscription, due: Callable[[str, float], bool]) -> None:
    back = [ack_id for ack_id, (_, until) in subscription.held.items() if due(ack_id, until)]
    subscription.waiting.extend(subscription.held.pop(ack_id)[0] for ack_id in back)


def _filter(text: str, context: grpc.ServicerContext) -> Callable[[Message], bool]:
    if not text:
        return lambda _: True
    parts = re.fullmatch(r'attributes\.(\w+) = "([^"]*)"', text)
    if parts is None:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"filter {text!r}")
    name, value = parts.groups()
    return lambda message: message.attributes.get(name) == value


def _handlers(service: str, **methods: tuple[Any, Callable[[Any, grpc.ServicerContext], Any]]) -> Any:
    return grpc.method_handlers_generic_handler(
        f"google.pubsub.v1.{service}",
        {
            name: grpc.unary_unary_rpc_method_handler(
                function, kind.pb().FromString, lambda answer: answer.SerializeToString()
            )
            for name, (kind, function) in methods.items()
        },
    )


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, detail: str) -> NoReturn:
    context.abort(code, detail)
    raise AssertionError("abort raises")
