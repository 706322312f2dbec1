"""schemathesis against the running service and its OpenAPI document: ``make bench-contract``."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results
from benchmarks.published import publish_model
from benchmarks.service import ADMIN_KEY, WRITE_KEY, Service, running
from tests import served_attention, served_creative

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "ignored_auth",
)


def main() -> None:
    """Runs schemathesis with a model of every family loaded, and writes ``benchmarks/results/contract.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests generated for an operation and phase")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        shop = publish_model(scratch)
        registry = Path(shop.registry)
        served_attention.promote(registry, served_attention.artifact(scratch / "attention"))
        served_creative.promote(registry, served_creative.write_artifact(scratch / "creative"))
        with running({"AUGURY_REGISTRY": shop.registry}) as service:
            report = _run(service, scratch, given.examples, given.seed)
    finally:
        shutil.rmtree(scratch)
    write_results("contract", [_figure(report)])


def _run(service: Service, scratch: Path, examples: int, seed: int) -> dict[str, Any]:
    """Returns schemathesis's report of a run, each operation called with the key that it takes."""
    configuration = scratch / "schemathesis.toml"
    headers = "[[operations]]\ninclude-path-regex = {path!r}\nheaders = {{ Authorization = {given!r} }}\n"
    configuration.write_text(
        headers.format(path="^/v1/[a-z]+$|^/v1/(predict|attention|creative)", given=_basic(WRITE_KEY))
        + headers.format(path="^/v1/(models|visitors)", given=_basic(ADMIN_KEY))
    )
    found = scratch / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    command += [f"http://127.0.0.1:{service.port}/openapi.json", f"--checks={','.join(_CHECKS)}", f"--seed={seed}"]
    command += [f"--max-examples={examples}", "--continue-on-failure", "--no-shrink", "--warnings=off"]
    command += ["--report=json", f"--report-json-path={found}", "--phases=examples,coverage,fuzzing"]
    subprocess.run(
        command, cwd=scratch, check=False
    )  # it exits with 1 when it found something, which is what is counted
    report: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return report


def _figure(report: dict[str, Any]) -> Figure:
    cases, operations = report["test_cases"], report["valid_rates"]
    taken = sum(phase["accepted"] for phases in operations.values() for phase in phases.values())
    return Figure(
        "schemathesis_failures",
        f"failures and errors in {cases['generated']} requests to {len(operations)} operations, good and bad ones "
        f"({taken} of the good taken); checks: {', '.join(_CHECKS)}",
        cases["unique_failures"] + cases["errored"],
        "failures",
        "<= 0",
    )


def _basic(key: str) -> str:
    return f"Basic {b64encode(f'{key}:'.encode()).decode()}"


if __name__ == "__main__":
    main()
