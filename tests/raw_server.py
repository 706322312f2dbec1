"""A server on loopback that says exactly what a test wants: an answer is bytes, or a function of the connection."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from features.fetching_policy import FetchPolicy

Answer = bytes | Callable[[socket.socket], None]


class RawServer:
    """Answers by path; one request a connection.

    Attributes:
        port: on 127.0.0.1.
        requests: as they came, head only.
        connections: how many were made.
    """

    def __init__(self, answers: Mapping[str, Answer], tls: ssl.SSLContext | None) -> None:
        self.answers, self.requests, self.connections = dict(answers), list[str](), 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer.connections += 1
                with contextlib.suppress(OSError):
                    connection = tls.wrap_socket(self.request, server_side=True) if tls else self.request
                    outer._answer(connection)
                    connection.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                return
            head += part
        self.requests.append(head.decode("latin-1"))
        answer = self.answers.get(head.split()[1].decode(), b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)


@contextmanager
def raw_server(answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Yields a server that is up."""
    made = RawServer(answers, tls)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def local(server: RawServer, **more: object) -> FetchPolicy:
    """Returns a policy that allows this server and no other."""
    given = {"hosts": ("127.0.0.1",), "ports": (server.port,), "allow_private": True, "timeout_seconds": 600.0, **more}
    return FetchPolicy(**given)  # type: ignore[arg-type]


def ok(body: bytes, content_type: str = "text/html", *headers: str) -> bytes:
    """Returns a whole answer of status 200."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def redirect(location: str, status: int = 302) -> bytes:
    """Returns a redirect."""
    return f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
