"""A job of a run: a module in a process of its own, whose output is whole or not there."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augury.retraining.errors import RunError, StoppedError
from features.storage import exists
from models.processes import JobInterrupted, run_module

NO_DATA, BAD_DATA = "no_data", "bad_data"
"""Why a run stops while examples are made: nothing to read, or what was read cannot be used."""

_NOTHING = "no example was made"
_NOT_THE_DATA = ("cannot write", "the local runner lost")


@dataclass(frozen=True)
class Job:
    """One process of a run.

    Attributes:
        name: of the step.
        module: that is run.
        argv: its arguments.
        done: the file that is there when it is done, and not before.
        refuses: kind of the reason if it fails because of its data: such a run stops; None for a job whose failure is
            an error.
    """

    name: str
    module: str
    argv: tuple[str, ...]
    done: str
    refuses: str | None = None


def run_job(job: Job, log: Path, keep: Sequence[int] = ()) -> None:
    """Runs a job, unless its output is there already; what it says goes to a file.

    Raises:
        StoppedError: it could not make anything of the data.
        RunError: it failed otherwise.
        KeyboardInterrupt: Ctrl-C.
    """
    if exists(job.done):
        return
    with log.open("ab") as file:
        file.write(f"{job.module} {' '.join(job.argv)}\n".encode())
        file.flush()
        try:
            code = run_module(job.module, job.argv, stdout=file, stderr=file, keep=keep)
        except JobInterrupted:  # which said so in its log: people have to be told
            raise KeyboardInterrupt from None
    if code == 0 and exists(job.done):
        return
    said = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
    reason = said[-1].removeprefix("error: ") if said else f"it ended with exit code {code}, see {log}"
    if code == 1 and said and job.refuses is not None and not reason.startswith(_NOT_THE_DATA):
        raise StoppedError(reason, job.name, NO_DATA if _NOTHING in reason else job.refuses)
    raise RunError(f"step {job.name} failed: {reason}")


def pipeline_argv(options: Any) -> tuple[str, ...]:
    """Returns the flags with which a pipeline's own command makes ``options`` again; defaults are left out."""
    argv = []
    for entry in dataclasses.fields(options):
        value = getattr(options, entry.name)
        if value is None or value == entry.default:
            continue
        if isinstance(value, tuple):
            value = json.dumps(list(value))
        elif isinstance(value, bool):
            value = "true" if value else "false"
        argv.append(f"--{entry.name}={value}")
    return tuple(argv)
