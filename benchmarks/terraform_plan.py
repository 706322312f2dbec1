"""Terraform's own word on deploy/: ``make bench-terraform-plan``, and ``make test-deploy`` through the tests.

Every root module is validated and planned with the real Google provider and a token that no server would take: what can
be planned without a network names no data source and no resource that exists already.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PROVIDER = ROOT / ".cache" / "bin" / "terraform-provider-google"
PLANNED = DEPLOY / "planned-resources.txt"
"""What is planned, a line a resource, below a heading for each root module and file of variables."""


@dataclass(frozen=True)
class Planned:
    """What Terraform said of one root module with one file of variables.

    Attributes:
        heading: ``folder/variables-file``.
        resources: addresses of what would be made, sorted.
        errors: the messages of ``terraform validate`` and ``terraform plan``; empty where all went well.
        plan: the plan as JSON; empty where there is none.
    """

    heading: str
    resources: tuple[str, ...]
    errors: tuple[str, ...]
    plan: dict[str, Any] = field(default_factory=dict, repr=False)


def missing() -> str | None:
    """Says what planning lacks on this machine; None where it lacks nothing."""
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    if not PROVIDER.exists():
        return f"the Google provider has not been built into {PROVIDER.parent.relative_to(ROOT)}; run make test-deploy"
    return None


def plan_all() -> Iterator[Planned]:
    """Yields what is planned for every root module and each of its ``*.tfvars`` files."""
    with _copied() as (folder, environment):
        for variables in sorted(folder.glob("deploy/*/*.tfvars")):
            yield _plan(variables, environment)


def listing(planned: list[Planned]) -> str:
    """Returns the text of ``deploy/planned-resources.txt``."""
    return "\n\n".join("\n".join([f"# {one.heading}", *one.resources]) for one in planned) + "\n"


@contextmanager
def _copied() -> Iterator[tuple[Path, dict[str, str]]]:
    """A copy of what Terraform reads, without the remote state, and the environment that finds the provider."""
    with tempfile.TemporaryDirectory(prefix="augury-terraform-") as name:
        folder = Path(name)
        shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("backend.tf", ".terraform*"))
        shutil.copytree(ROOT / "features" / "tables", folder / "features" / "tables")
        configuration = folder / "terraform.rc"
        configuration.write_text(
            f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/google" = "{PROVIDER.parent}"\n  }}\n'
            "  direct {}\n}\n"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "GOOGLE_"))}
        environment |= {
            "TF_CLI_CONFIG_FILE": str(configuration),
            "CHECKPOINT_DISABLE": "1",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "fake",
        }
        yield folder, environment


def _plan(variables: Path, environment: dict[str, str]) -> Planned:
    heading = f"{variables.parent.name}/{variables.name}"

    def terraform(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *words], cwd=variables.parent, env=environment, capture_output=True, text=True, timeout=300
        )

    terraform("get", "-no-color")
    validated = json.loads(terraform("validate", "-json").stdout)
    errors = [
        f"{found['summary']}: {found['detail']}" for found in validated["diagnostics"] if found["severity"] == "error"
    ]
    done = terraform("plan", "-no-color", "-input=false", f"-var-file={variables.name}", "-out=plan")
    if done.returncode:
        errors.append(" ".join(done.stderr.split()) or " ".join(done.stdout.split()))
        return Planned(heading, (), tuple(errors))
    plan = json.loads(terraform("show", "-json", "plan").stdout)
    changes = [change for change in plan["resource_changes"] if change["change"]["actions"] == ["create"]]
    return Planned(heading, tuple(sorted(change["address"] for change in changes)), tuple(errors), plan)


def main() -> None:
    """Writes ``benchmarks/results/terraform-plan.json``; with ``--write``, the list of planned resources instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="write deploy/planned-resources.txt as Terraform plans now"
    )
    given = parser.parse_args()
    if lack := missing():
        parser.exit(1, f"{lack}\n")
    planned = list(plan_all())
    for one in planned:
        for error in one.errors:
            print(f"{one.heading}: {error}")
    if given.write:
        PLANNED.write_text(listing(planned))
        return
    version = json.loads(subprocess.run(["terraform", "version", "-json"], capture_output=True, check=True).stdout)
    resources = {one.heading: len(one.resources) for one in planned}
    told = ", ".join(f"{heading} {count}" for heading, count in resources.items())
    same = "" if PLANNED.read_text() == listing(planned) else "; NOT the resources of deploy/planned-resources.txt"
    write_results(
        "terraform-plan",
        [
            Figure(
                "terraform_plan_errors",
                f"errors of terraform validate and plan of every root module with the real Google provider and a fake "
                f"token; Terraform {version['terraform_version']}; resources planned: {told}{same}",
                sum(len(one.errors) for one in planned),
                "errors",
                "<= 0",
            )
        ],
    )


if __name__ == "__main__":
    main()
