from pathlib import Path

import pytest

from augury.retraining.app import App, CheckRules, checked, read_app
from augury.retraining.errors import AppError
from augury.retraining.window import WindowRule
from pipelines.behavior_recipe import ExamplesOptions

WHOLE = """
family = "behavior"
name = "soon"
registry = "gs://bucket/registry"
archive = "gs://bucket/archive"

[window]
days = 14
ends = "monday"

[data]
events = ["a/{date}", "b/{date}"]

[examples]
generator = "purchase_points"

[train]
units = 32

[checks]
drift = 0.1

[gates]
max_ece = 0.03
judged_by = "interval"

[schedule]
cron = "30 4 * * 2"
"""


def write(folder: Path, text: str) -> str:
    (folder / "it.toml").write_text(text)
    return str(folder / "it.toml")


def test_a_description_is_read(tmp_path: Path) -> None:
    app = read_app(write(tmp_path, WHOLE), "it")
    assert (app.model, app.registry, app.runs, app.archive) == (
        *("behavior/soon", "gs://bucket/registry", "runs"),
        "gs://bucket/archive",
    )
    assert app.window == WindowRule(14, "monday")
    assert app.data == {"events": ["a/{date}", "b/{date}"]}
    assert (app.checks, app.schedule.cron) == (CheckRules(drift=0.1), "30 4 * * 2")
    assert (app.thresholds.max_ece, app.thresholds.judged_by) == (0.03, "interval")
    assert app.thresholds.margins == {"auc": 0.005, "log_loss": 0.005}  # the family's


def test_the_name_and_the_registry_can_come_from_elsewhere(tmp_path: Path) -> None:
    app = read_app(write(tmp_path, 'family = "behavior"'), "it", "other")
    assert (app.model, app.registry) == ("behavior/it", "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("family = ", "it.toml is not TOML"),
        ("", "family is missing; expected behavior, attention or creative"),
        ('family = "behavior"\nfamilly = "x"', "unknown key 'familly'; expected one of archive, checks, data"),
        ('family = "behavior"\nname = 3', "name is 3; expected a text"),
        ('family = "behavior"\nwindow = 28', r"window is 28; expected a table, \[window\]"),
        ('family = "behavior"\n[window]\nday = 28', "window.day is unknown; expected one of days, ends, late_days"),
        ('family = "behavior"\n[window]\ndays = "28"', "window.days is '28'; expected a whole number"),
        ('family = "behavior"\n[window]\ndays = 90', "window.days is 90; expected a whole number from 7 to 60"),
        ('family = "behavior"\n[checks]\ndrift = 2', "checks.drift is 2.0; expected a number above 0 and below 1"),
        ('family = "behavior"\n[checks]\ndays = 0', "checks.days is 0; expected a whole number from 1 to 60"),
        ('family = "behavior"\n[gates]\nmax_eec = 0.1', "unknown threshold 'max_eec'"),
        ('family = "behavior"\n[schedule]\ncron = "weekly"', "schedule.cron is 'weekly'; expected five fields"),
        ('family = "behavior"\nruns = "gs://b/runs"', "runs is 'gs://b/runs'; expected a local folder"),
        ('family = "behavior"\nname = "../evil"', "name is '../evil'; expected up to 64 of a-z, 0-9, _ and -, a let"),
        ('family = "behavior"\nname = "a/b"', "name is 'a/b'; expected up to 64 of a-z, 0-9, _ and -, a letter or"),
        ('family = "behavior"\n[schedule]\ntime_zone = "Mars/Base"', "schedule.time_zone is 'Mars/Base'; expected th"),
        ('family = "tea"', "no thresholds are known for family 'tea'"),
    ],
)
def test_a_description_that_cannot_be_followed_is_refused_with_its_path(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(AppError, match=message) as caught:
        read_app(write(tmp_path, text), "it")
    assert str(caught.value).startswith(str(tmp_path / "it.toml")) and "\n" not in str(caught.value)


def test_a_description_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="there is no description of application 'tea' .*tea.toml.*docs/retraining.md"):
        read_app(str(tmp_path / "tea.toml"), "tea")


def test_options_are_of_the_type_of_their_field() -> None:
    found = checked("examples", ExamplesOptions, {"gap_minutes": 30, "hash_size": 64, "compress": True}, ("events",))
    assert found == {"gap_minutes": 30.0, "hash_size": 64, "compress": True}
    assert isinstance(found["gap_minutes"], float)
    with pytest.raises(AppError, match="examples.events is set by the run itself; expected one of output, adapter"):
        checked("examples", ExamplesOptions, {"events": "x"}, ("events",))
    with pytest.raises(AppError, match="examples.compress is 1; expected true or false"):
        checked("examples", ExamplesOptions, {"compress": 1})
    with pytest.raises(AppError, match="examples.hash_size is True; expected a whole number"):
        checked("examples", ExamplesOptions, {"hash_size": True})
    assert App("behavior", "x").model == "behavior/x"
