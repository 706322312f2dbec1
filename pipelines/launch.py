"""Launching a pipeline: Beam's options checked, the runner chosen, and an error inside it brought back as one line."""

import argparse
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import orjson
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner, create_runner
from grpc import FutureTimeoutError  # type: ignore[import-untyped]

from features.errors import AuguryError
from features.storage import exists
from pipelines.pooled_workers import PooledRunner
from pipelines.quick_start import stays_here
from pipelines.step_times import leave_out_step_times
from pipelines.worker_pool import WORKER_ENDED, WorkerPool

_LOST_WORKER = ("Channel closed prematurely", "SDK worker disconnected")
"""What Beam's local runner and Prism say when a worker is gone, whichever connection they miss it by."""


_NO_WORKER = "didn't get control connection"
"""What Prism says of a worker that does not start."""

_PROGRAMS = {
    "prism_location": "build Prism with `make prism`, and name .cache/bin/prism",
    "flink_job_server_jar": "name the jar of Beam's job server for Flink",
    "spark_job_server_jar": "name the jar of Beam's job server for Spark",
}
"""Options of Beam's that name what a runner starts, and what to do where it is not there."""


class PipelineOptionError(AuguryError, ValueError):
    """An option that neither the pipeline nor Beam knows."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise PipelineOptionError(f"{message}, for Apache Beam")


class PipelineFailedError(AuguryError, RuntimeError):
    """A pipeline that failed inside its runner; the message is that of the project error that stopped it."""


def print_json(found: Mapping[str, Any]) -> None:
    """Prints what a pipeline found out, such as a dataset card, as JSON."""
    sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def beam_options(flags: Sequence[str]) -> PipelineOptions:
    """Returns Beam's options, having refused the flags that Beam does not know and would only warn of.

    Raises:
        PipelineOptionError: an unknown flag, or a value that cannot be.
    """
    if not flags:  # nothing to refuse, and the parser has some three hundred options
        return _without_main_session(PipelineOptions([]))
    parser = _Parser(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    unknown = [flag for flag in parser.parse_known_args(list(flags))[1] if flag.startswith("-")]
    if unknown:
        raise PipelineOptionError(
            f"unknown option {', '.join(unknown)}; expected an option of this pipeline (see --help) or of Apache Beam"
        )
    return _without_main_session(PipelineOptions(list(flags)))


def _without_main_session(flags: PipelineOptions) -> PipelineOptions:
    """Returns the options with workers taking the package as installed, never the launcher's globals."""
    flags.view_as(SetupOptions).save_main_session = False
    return flags


def choose_runner(options: PipelineOptions, pool: WorkerPool | None = None) -> PipelineRunner:
    """Returns the runner to use: with a pool, the local one that divides the work among its processes.

    The DirectRunner of Beam 2.77 first looks for a Prism binary on the network and then falls back to the
    FnApiRunner: that runner is what DirectRunner means here, so that nothing is downloaded behind the user's back.

    Raises:
        PipelineOptionError: Beam has no such runner, or it needs a package that is not installed; or the flags say
            otherwise than a pool where the work is done; or the program that it starts is not there.
    """
    name = options.view_as(StandardOptions).runner
    local = name in (None, "DirectRunner", "direct")
    if pool is not None:
        direct = options.view_as(DirectOptions)
        if not local or direct.direct_num_workers != 1 or direct.direct_running_mode != "in_memory":
            raise PipelineOptionError(
                f"{pool.processes} processes are of the local runner; leave them out, or the flags --runner, "
                "--direct_num_workers and --direct_running_mode"
            )
        return PooledRunner(pool)
    if local:
        leave_out_step_times()
        return FnApiRunner()
    given = options.get_all_options()
    for program, remedy in _PROGRAMS.items():
        path = given.get(program)
        if path and stays_here(path) and not exists(path):
            raise PipelineOptionError(f"{program} is {path}, and there is no such file; {remedy}")
    try:
        return create_runner(name)
    except (ValueError, ImportError, AttributeError) as e:
        raise PipelineOptionError(f"runner {name!r} cannot be used ({e}); expected one of Apache Beam's") from e


def run_to_end(pipeline: beam.Pipeline) -> PipelineResult:
    """Runs a pipeline and waits for its end.

    Raises:
        PipelineFailedError: a project error stopped it, and the message is that error's own line; or a worker is gone,
            or there is no job service.
    """
    try:
        with _told_once():
            result = pipeline.run()
            result.wait_until_finish()
    except FutureTimeoutError as e:
        asked = pipeline.options.view_as(PortableOptions)
        raise PipelineFailedError(
            f"no job service has answered at {asked.job_endpoint} for {asked.job_server_timeout} seconds; start it, or "
            "check --job_endpoint"
        ) from e
    except Exception as e:
        line = project_error_line(e) or _lost_worker_line(e)
        if line is None:
            raise
        raise PipelineFailedError(line) from e
    return result


def counted(result: PipelineResult) -> dict[str, dict[str, int]]:
    """Returns what a pipeline counted: kind -> reason -> number."""
    counts: dict[str, dict[str, int]] = {}
    for counter in result.metrics().query()["counters"]:
        kind, _, reason = counter.key.metric.name.partition("/")
        if reason and counter.result:
            found = counts.setdefault(kind, {})
            found[reason] = found.get(reason, 0) + counter.result
    return {kind: dict(sorted(reasons.items())) for kind, reasons in sorted(counts.items())}


def project_error_line(error: BaseException) -> str | None:
    """Returns the message of the project error behind ``error``, or None where there is none.

    Runners hand an exception over as the text of its traceback, so the text is searched as well as the chain.
    """
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, AuguryError):
            return _without_step(str(link))
        link = link.__cause__ or link.__context__
    names = "|".join(sorted({kind.__name__ for kind in _descendants(AuguryError)}))
    found = re.findall(rf"^(?:[\w.]+\.)?(?:{names}): (.*)$", str(error), re.MULTILINE)
    return _without_step(found[-1]) if found else None


def main(run: Callable[[Sequence[str]], None]) -> None:
    """Runs a pipeline as the command line says; an error that its user can do something about is told in one line."""
    try:
        run(sys.argv[1:])
    except AuguryError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(1)


def tells_project_error(record: logging.LogRecord) -> bool:
    """Returns whether a log record tells of a project error, which whoever runs the pipeline tells in one line.

    So does one of an interruption.
    """
    error = record.exc_info[1] if record.exc_info else RuntimeError(record.getMessage())
    return isinstance(error, KeyboardInterrupt) or (error is not None and project_error_line(error) is not None)


@contextmanager
def _told_once() -> Iterator[None]:
    """Drops what Beam logs, traceback and all, of an error that whoever runs the pipeline tells in one line."""

    def wanted(record: logging.LogRecord) -> bool:
        return not tells_project_error(record)

    log = logging.getLogger("apache_beam.runners.common")
    log.addFilter(wanted)
    try:
        yield
    finally:
        log.removeFilter(wanted)


def _lost_worker_line(error: BaseException) -> str | None:
    """Returns what to tell of an error that means, in the words of some runner, that a worker is gone."""
    if _NO_WORKER in str(error):
        return "no worker has started within the minute that Prism waits; look at its log, or try again with less to do"
    return WORKER_ENDED.format("a worker process") if any(sign in str(error) for sign in _LOST_WORKER) else None


def _without_step(message: str) -> str:
    return re.sub(r"( \[while running .*\])+$", "", message.strip())


def _descendants(kind: type[AuguryError]) -> set[type[AuguryError]]:
    children: list[type[AuguryError]] = kind.__subclasses__()
    return {kind}.union(*(_descendants(child) for child in children))
