import shlex
from dataclasses import replace

import hcl2
import pytest

from augury.retraining.app import App, ScheduleRule
from augury.retraining.errors import AppError
from augury.retraining.schedule import cron_line, gcloud_command, terraform_lines

APP = App("behavior", "purchase_soon", schedule=ScheduleRule("30 4 * * 1", "Europe/Berlin"))


def test_the_line_for_cron_runs_in_the_folder_and_keeps_what_is_said() -> None:
    assert cron_line(APP, "apps/soon.toml", "shop's 5%") == (
        "30 4 * * 1 cd 'shop'\"'\"'s 5\\%' && augury retrain behavior --app purchase_soon --config apps/soon.toml "
        ">>runs/purchase_soon.log 2>&1"
    )


def test_the_job_starts_the_workflow_that_terraform_makes() -> None:
    words = shlex.split(gcloud_command(APP, "shop-1", "europe-west1"))
    assert words[:6] == ["gcloud", "scheduler", "jobs", "create", "http", "augury-retrain-purchase-soon"]
    assert "--schedule=30 4 * * 1" in words and "--time-zone=Europe/Berlin" in words
    (uri,) = [word for word in words if word.startswith("--uri=")]
    assert uri.endswith("/projects/shop-1/locations/europe-west1/workflows/augury-retrain-purchase-soon/executions")
    with pytest.raises(AppError, match="project is 'a b'; expected the ID of one such as my-project"):
        gcloud_command(APP, "a b", "europe-west1")


def test_the_lines_for_terraform_are_terraform() -> None:
    (found,) = [value for key, value in hcl2.loads(terraform_lines(APP) + "\n").items() if key == "retraining"]
    plain = {str(key).strip('"'): value for key, value in found["purchase-soon"].items()}
    assert str(plain["model"]).strip('"') == "behavior/purchase_soon" and plain["days"] == 28
    with pytest.raises(AppError, match="name is '5_days'; a job needs one that begins with a letter"):
        terraform_lines(replace(APP, name="5_days"))
