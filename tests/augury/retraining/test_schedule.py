import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hcl2
import pytest

from augury.commands.schedule import schedule
from augury.retraining.app import App, ScheduleRule
from augury.retraining.errors import AppError
from augury.retraining.schedule import cron_line, gcloud_command, terraform_lines

APP = App("behavior", "purchase_soon", schedule=ScheduleRule("30 4 * * 1", "Europe/Berlin"))


def test_the_line_for_cron_runs_in_the_folder_and_keeps_what_is_said() -> None:
    assert cron_line(APP, "apps/soon.toml", "shop's 5%", "/opt/augury") == (
        "30 4 * * 1 cd 'shop'\"'\"'s 5\\%' && mkdir -p runs && /opt/augury retrain behavior --app purchase_soon "
        "--config apps/soon.toml >>runs/purchase_soon.log 2>&1"
    )


def test_cron_runs_the_line_in_a_folder_without_runs_and_with_its_own_short_path(tmp_path: Path) -> None:
    program = tmp_path / "augury"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    shop = tmp_path / "a shop"
    shop.mkdir()
    _, _, _, _, _, line = cron_line(APP, "apps/soon.toml", str(shop), str(program)).split(" ", 5)
    subprocess.run(["/bin/sh", "-c", line], env={"PATH": "/usr/bin:/bin"}, check=True)
    said = (shop / "runs/purchase_soon.log").read_text()
    assert said == "retrain behavior --app purchase_soon --config apps/soon.toml\n"


def test_the_command_names_the_program_that_it_is_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/soon.toml").write_text('family = "behavior"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    schedule("soon")
    assert "&& augury retrain behavior --app soon" in capsys.readouterr().out  # not beside this Python: as it is found
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/augury").touch()
    schedule("soon")
    assert f"&& {tmp_path}/bin/augury retrain behavior --app soon" in capsys.readouterr().out


def test_a_time_zone_is_one() -> None:
    with pytest.raises(AppError, match="schedule.time_zone is 'Mars/Base'; expected the name of one such as Europe/B"):
        ScheduleRule("0 3 * * 1", "Mars/Base")
    for odd in ("", "../etc", "/etc/localtime"):
        with pytest.raises(AppError, match="schedule.time_zone is"):
            ScheduleRule("0 3 * * 1", odd)


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
