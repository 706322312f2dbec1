"""A local end-point of Dataflow's ``flexTemplates.launch``."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.cloud.dataflow_v1beta3 import LaunchFlexTemplateRequest
from google.protobuf.json_format import ParseError


@dataclass
class Launches:
    """What was asked: each request parsed by Google's own types, and what could not be.

    Attributes:
        url: of the server, with a slash at its end.
        requests: parsed launches.
        problems: what was wrong with the others.
    """

    url: str
    requests: list[LaunchFlexTemplateRequest] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse(path: str, body: dict[str, Any]) -> LaunchFlexTemplateRequest:
    """Returns a launch as Google's own type; unknown fields are errors.

    Raises:
        ParseError: the body has another form.
        ValueError: the path is another's.
    """
    words = path.partition("?")[0].strip("/").split("/")
    if words[:2] != ["v1b3", "projects"] or words[3] != "locations" or words[5:] != ["flexTemplates:launch"]:
        raise ValueError(f"{path} is no flexTemplates:launch")
    whole = {"projectId": words[2], "location": words[4], **body}
    return LaunchFlexTemplateRequest.from_json(json.dumps(whole), ignore_unknown_fields=False)


@contextmanager
def launch_server() -> Iterator[Launches]:
    """Runs the end-point on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            try:
                request = parse(self.path, body)
            except (ParseError, ValueError, IndexError) as e:
                found.problems.append(str(e))
                self._answer(400, {"error": {"code": 400, "message": str(e)}})
                return
            found.requests.append(request)
            job = {"id": "2026-01-01_00_00_00-1", "name": request.launch_parameter.job_name}
            self._answer(200, {"job": {**job, "projectId": request.project_id, "location": request.location}})

        def _answer(self, code: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Launches(f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
