"""``augury schedule``."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.retrain import Config, Name
from augury.retraining.app import read_app
from augury.retraining.errors import AppError
from augury.retraining.schedule import cron_line, gcloud_command, terraform_lines


def schedule(
    app: Name,
    config: Config = None,
    project: Annotated[
        str | None, typer.Option(help="Google Cloud project; with --region, the Cloud Scheduler job is printed too")
    ] = None,
    region: Annotated[str | None, typer.Option(help="of the workflow")] = None,
) -> None:
    """Print what retrains a model each week: a cron line, a Scheduler job.

    Nothing is installed: the line is for `crontab -e`. In Google Cloud the job starts the workflow that
    `deploy/modules/retraining` makes, which is also made with its own schedule by the lines for Terraform.

    **Examples**

    - `augury schedule --app purchase`
    - `augury schedule --app purchase --project my-project --region europe-west1`
    """
    path = config or f"apps/{app}.toml"
    described = read_app(path, app)
    if (project is None) != (region is None):
        raise AppError("project and region go together; give both or neither")
    screen.line("# cron: crontab -e, on the machine that retrains")
    screen.line(cron_line(described, path, os.getcwd(), _program()))
    if project is not None and region is not None:
        screen.line("# Cloud Scheduler, for a workflow that is there already")
        screen.line(gcloud_command(described, project, region))
        screen.line("# Terraform: deploy/site, which makes the workflow and its schedule")
        screen.line(terraform_lines(described))


def _program() -> str:
    """Returns the command of this environment, or its name where the environment has none."""
    beside = Path(sys.executable).with_name("augury")
    return str(beside) if beside.exists() else "augury"
