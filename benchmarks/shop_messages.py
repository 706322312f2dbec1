"""Segment messages of a simulated shop, as its pages would send them now."""

import tempfile
from pathlib import Path
from typing import Any

import orjson

from augury.simulator import SimulationOptions, simulate
from augury.simulator_trouble import Trouble

NO_TROUBLE = Trouble(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""No robots, no copies, no malformed rows."""

_ROWS_A_VISITOR = 10


def shop_messages(count: int) -> list[dict[str, Any]]:
    """Returns ``count`` messages in the order of their times, each with a message id of its own.

    Simulated times are kept; what a server would have added (``receivedAt``, ``sentAt``) is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = SimulationOptions(output=folder, visitors=count // _ROWS_A_VISITOR + 100, trouble=NO_TROUBLE)
        files = sorted(Path(simulate(options).events).parent.glob("*.jsonl"))
        messages = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    if len(messages) < count:
        raise RuntimeError(f"the simulation gave {len(messages)} messages; {count} are needed")
    for message in messages:
        message.pop("receivedAt", None)
        message.pop("sentAt", None)
    messages.sort(key=lambda message: message["timestamp"])
    return messages[:count]
