"""HTTP load from a process of its own.

Requests are whole byte strings made beforehand, sent over connections that stay open. With a rate, each request has a
moment at which it is due, and its latency counts from then, also while no connection is free (what is known as
coordinated omission cannot happen); without one, every connection sends its next request when it has the answer.
"""

import argparse
import asyncio
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httptools
import numpy as np
import uvloop

_LENGTH = struct.Struct(">I")


class LoadError(RuntimeError):
    """A load that was not answered as it should have been."""


@dataclass(frozen=True)
class Answers:
    """What a load found.

    Attributes:
        requests: answers measured, those of the warm-up left out.
        seconds: from the end of the warm-up to the last answer.
        p50_ms: median latency.
        p99_ms: latency that one in a hundred exceeds.
        statuses: HTTP status -> answers, warm-up included; "0" counts requests whose connection was lost.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Returns an HTTP/1.1 request; ``content_type="..."`` gives the header ``Content-Type``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def send(requests: Iterable[bytes], port: int, connections: int, rate: float | None = None, warm: int = 0) -> Answers:
    """Has another process send every request once, to 127.0.0.1.

    Args:
        requests: as ``request`` makes them.
        port: to send them to.
        connections: open at once.
        rate: requests a second; None for as many as are answered.
        warm: how many of the first are sent but not measured.

    Raises:
        LoadError: an answer other than 200, or none.
    """
    with tempfile.NamedTemporaryFile() as file:
        for content in requests:
            file.write(_LENGTH.pack(len(content)) + content)
        file.flush()
        command = [sys.executable, "-m", "benchmarks.load", file.name, f"--port={port}", f"--warm={warm}"]
        command += [f"--connections={connections}", *([] if rate is None else [f"--rate={rate}"])]
        found = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    answers = Answers(**json.loads(found))
    if set(answers.statuses) != {"200"}:
        raise LoadError(f"answers by status are {answers.statuses}; expected only 200")
    return answers


class _Load:
    def __init__(self, requests: Sequence[bytes], rate: float | None, warm: int) -> None:
        self._requests = requests
        self._rate = rate
        self._warm = warm
        self._next = 0
        self._answered = 0
        self._latency = np.zeros(len(requests))
        self._statuses: Counter[str] = Counter()
        self._due: deque[tuple[int, float]] = deque()
        self._idle: deque[_Connection] = deque()  # the longest idle goes first, or servers would close it
        self._open = 0
        self._began = self._measured_from = self._last = time.perf_counter()
        self.finished = asyncio.Event()

    def begin(self, connections: Sequence["_Connection"]) -> None:
        self._began = self._measured_from = time.perf_counter()
        self._open = len(connections)
        for connection in connections:
            self.feed(connection)
        if self._rate is not None:
            self._release()

    def feed(self, connection: "_Connection") -> None:
        """Gives a free connection what is due, or else has it wait."""
        if self._rate is None and self._next < len(self._requests):
            self._due.append((self._next, time.perf_counter()))
            self._next += 1
        if self._due:
            number, due = self._due.popleft()
            connection.send(number, due, self._requests[number])
        else:
            self._idle.append(connection)

    def answered(self, number: int, due: float, status: int) -> None:
        self._last = time.perf_counter()
        self._latency[number] = self._last - due
        self._statuses[str(status)] += 1
        self._answered += 1
        if self._answered == self._warm:
            self._measured_from = self._last
        if self._answered == len(self._requests):
            self.finished.set()

    def lost(self, connection: "_Connection") -> None:
        """Goes on without a connection; gives up when none is left."""
        if connection in self._idle:
            self._idle.remove(connection)
        self._open -= 1
        if not self._open:
            self._statuses["0"] += len(self._requests) - self._answered
            self.finished.set()

    def answers(self) -> Answers:
        measured = self._latency[self._warm :] * 1e3
        p50, p99 = np.percentile(measured, [50, 99]).tolist()
        return Answers(len(measured), self._last - self._measured_from, p50, p99, dict(self._statuses))

    def _release(self) -> None:
        """Makes due what should be sent by now, and looks again a millisecond later."""
        assert self._rate is not None
        until = min(len(self._requests), int((time.perf_counter() - self._began) * self._rate) + 1)
        self._due.extend((number, self._began + number / self._rate) for number in range(self._next, until))
        self._next = until
        while self._due and self._idle:
            self.feed(self._idle.popleft())
        if until < len(self._requests):
            asyncio.get_running_loop().call_later(0.001, self._release)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, number: int, due: float, content: bytes) -> None:
        self._waiting = (number, due)
        self._transport.write(content)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._end(self._parser.get_status_code())
        self._load.feed(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(0)
        self._load.lost(self)

    def _end(self, status: int) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._load.answered(*waiting, status)


async def _run(requests: Sequence[bytes], port: int, connections: int, rate: float | None, warm: int) -> Answers:
    load = _Load(requests, rate, warm)
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port) for _ in range(connections)]
    load.begin([connection for _, connection in opened])
    await load.finished.wait()
    for transport, _ in opened:
        transport.close()
    return load.answers()


def _read(path: str) -> Iterator[bytes]:
    content = Path(path).read_bytes()
    place = 0
    while place < len(content):
        (length,) = _LENGTH.unpack_from(content, place)
        place += _LENGTH.size + length
        yield content[place - length : place]


def main() -> None:
    """Sends the requests of a file and prints what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", help="file: each request after its length, 4 bytes, big endian")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--warm", type=int, default=0)
    given = parser.parse_args()
    requests = list(_read(given.requests))
    print(json.dumps(asdict(uvloop.run(_run(requests, given.port, given.connections, given.rate, given.warm)))))


if __name__ == "__main__":
    main()
