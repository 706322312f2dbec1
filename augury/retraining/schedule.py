"""What starts a retraining each week: a line of cron's, a job of Cloud Scheduler, the lines of Terraform."""

import json
import re
import shlex

from augury.retraining.app import App
from augury.retraining.errors import AppError

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")


def cron_line(app: App, config: str, folder: str, program: str) -> str:
    """Returns a line for ``crontab -e``: it runs in a folder and keeps what is said.

    cron searches few folders for a program, and the shell opens the log before the program could make its folder.

    Args:
        app: what is retrained.
        config: path of its description, relative to ``folder``.
        folder: absolute.
        program: the command, absolute where cron would not find it.
    """
    command = shlex.join([program, "retrain", app.family, "--app", app.name, "--config", config])
    # cron takes % for the end of the command
    log = shlex.quote(f"{app.runs}/{app.name}.log")
    line = f"cd {shlex.quote(folder)} && mkdir -p {shlex.quote(app.runs)} && {command} >>{log} 2>&1"
    return f"{app.schedule.cron} {line}".replace("%", "\\%")


def gcloud_command(app: App, project: str, region: str) -> str:
    """Returns the command that makes the Cloud Scheduler job for the workflow that deploy/modules/retraining made.

    Raises:
        AppError: a project or region that cannot be.
    """
    for what, value in (("project", project), ("region", region)):
        if not re.fullmatch(r"[a-z][a-z0-9:.-]{1,62}", value):
            raise AppError(f"{what} is {value!r}; expected the ID of one such as {_SAMPLES[what]}")
    workflow = f"augury-retrain-{workflow_id(app)}"
    url = (
        f"https://workflowexecutions.googleapis.com/v1/projects/{project}/locations/{region}"
        f"/workflows/{workflow}/executions"
    )
    words = [
        *("gcloud", "scheduler", "jobs", "create", "http", workflow, f"--project={project}", f"--location={region}"),
        *(f"--schedule={app.schedule.cron}", f"--time-zone={app.schedule.time_zone}", f"--uri={url}"),
        *("--http-method=POST", "--headers=Content-Type=application/json", '--message-body={"argument": "{}"}'),
        f"--oauth-service-account-email=augury-scheduler@{project}.iam.gserviceaccount.com",
    ]
    return shlex.join(words)


def terraform_lines(app: App) -> str:
    """Returns the entry of the variable ``retraining`` of deploy/site, which makes the workflow and its schedule."""
    inner = [
        ("model", app.model),
        ("schedule", app.schedule.cron),
        ("time_zone", app.schedule.time_zone),
    ]
    lines = [f"    {name.ljust(9)} = {json.dumps(value)}" for name, value in inner]
    return "\n".join(
        ["retraining = {", f"  {workflow_id(app)} = {{", *lines, f"    days      = {app.window.days}", "  }", "}"]
    )


def workflow_id(app: App) -> str:
    """Returns the name of an application as Google Cloud takes it.

    Raises:
        AppError: it cannot be made one.
    """
    found = app.name.replace("_", "-")
    if not _ID.fullmatch(found):
        raise AppError(f"name is {app.name!r}; a job needs one that begins with a letter: a-z, 0-9 and -")
    return found


_SAMPLES = {"project": "my-project", "region": "europe-west1"}
