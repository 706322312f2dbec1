import json
import subprocess
import sys

CODE = """
import logging
from asgi_correlation_id import correlation_id
from serving.logs import set_up_logs

set_up_logs("info")
log = logging.getLogger("some.where")
log.debug("not shown")
log.info("begun", extra={"route": "/v1/track"})
correlation_id.set("abc")
try:
    try:
        {}["secret"]
    except KeyError as e:
        raise ValueError("secret") from e
except ValueError:
    log.exception("it failed")
logging.getLogger("uvicorn.access").info("GET /secret")
logging.getLogger("uvicorn.error").warning("odd")
"""


def test_lines_are_json_and_exceptions_keep_their_messages_to_themselves():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    first, second, third = map(json.loads, done.stderr.splitlines())
    assert {key: first[key] for key in ("level", "logger", "message", "route", "request_id")} == {
        "level": "INFO",
        "logger": "some.where",
        "message": "begun",
        "route": "/v1/track",
        "request_id": None,
    }
    assert first["time"].endswith("+00:00")
    assert (second["level"], second["request_id"]) == ("ERROR", "abc")
    assert second["exc_info"].count('File "<string>", line') == 2
    assert "ValueError\ncaused by:\n" in second["exc_info"]
    assert second["exc_info"].endswith("KeyError")
    assert "secret" not in done.stderr
    assert third["message"] == "odd"
