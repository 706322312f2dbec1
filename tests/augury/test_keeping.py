"""``augury show``, ``pin``, ``unpin`` and ``prune`` on a registry of four versions."""

import json

import pytest
from typer.testing import CliRunner

from augury import cli
from models.gates import GateResult
from models.registry import Registry

MODEL = ("behavior", "purchase")
DAY_US = 86_400_000_000
FIRST_DAY_US = 20_600 * DAY_US  # 2026-05-27


@pytest.fixture
def root(tmp_path):
    return tmp_path / "registry"


@pytest.fixture
def versions(tmp_path, root):
    """Four versions, one a week, of which the second replaced the first as champion."""
    clock = iter(range(FIRST_DAY_US + 8 * DAY_US, 1 << 62, 7 * DAY_US))
    registry = Registry(root, now_us=lambda: next(clock))
    made = []
    for week in range(4):
        folder = tmp_path / f"model-{week}"
        folder.mkdir()
        start = FIRST_DAY_US + 7 * week * DAY_US
        metrics = {"auc": 0.8 + week / 100, "ece": 0.01, "segments": {"high": 0.5}}
        card = {"generator": {"name": "purchase"}, "code_version": "0.1.0", "metrics": metrics}
        data = {"window": {"start_us": start, "end_us": start + 7 * DAY_US}, "splits": {"train": {"examples": 1234}}}
        (folder / "model_card.json").write_text(json.dumps(card))
        (folder / "dataset_card.json").write_text(json.dumps(data))
        made.append(registry.publish(folder, *MODEL, by="ann"))
        if week < 2:
            registry.promote(*MODEL, made[week], lambda *_: [GateResult("g", True, "fine")], f"week {week}", by="bob")
    return made


@pytest.fixture
def run(root):
    def invoke(*argv, code=0):
        done = CliRunner().invoke(cli.app, [*argv, "--registry", str(root)], env={"COLUMNS": "250"})
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout

    return invoke


def cells(said):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if line.startswith("│")]


def test_all_versions_with_their_standing_data_and_main_metrics(run, versions):
    run("pin", "behavior/purchase", versions[3][:8])
    assert cells(run("show", "behavior/purchase")) == [
        [versions[0], "predecessor", "2026-05-27 to 2026-06-02", "0.8000", "0.0100"],
        [versions[1], "champion", "2026-06-03 to 2026-06-09", "0.8100", "0.0100"],
        [versions[2], "", "2026-06-10 to 2026-06-16", "0.8200", "0.0100"],
        [versions[3], "pinned", "2026-06-17 to 2026-06-23", "0.8300", "0.0100"],
    ]


def test_all_about_one_version(run, versions):
    told = cells(run("show", "behavior/purchase", "champion"))
    assert ["standing", "champion"] in told
    assert ["data", "2026-06-03 to 2026-06-09"] in told
    assert ["examples", "train 1,234"] in told
    assert ["code version", "0.1.0"] in told
    assert ["segments.high", "0.5000"] in told
    assert [row[1:] for row in told if row[1:2] == [f"promote, in place of {versions[0]}"]] == [
        [f"promote, in place of {versions[0]}", "bob", "week 1; g: fine"]
    ]
    before = cells(run("show", "behavior/purchase", versions[0]))
    assert [row[1] for row in before[-3:]] == ["publish", "promote", f"replaced by {versions[1]} (promote)"]


def test_history_says_who_replaced_whom(run, versions):
    assert f"week 1; in place of {versions[0]}" in run("history", "behavior/purchase")


def test_old_versions_go_and_what_is_needed_stays(run, versions, root):
    run("pin", "behavior/purchase", versions[2], "--reason", "audit")
    said = run("prune", "behavior/purchase", "--keep", "0", "--dry-run")
    assert cells(said) == [
        [versions[0], "predecessor"], [versions[1], "champion"], [versions[2], "pinned"], [versions[3], "-"],
    ]  # fmt: skip
    assert said.endswith("1 of 4 versions would be removed\n")
    assert Registry(root).versions(*MODEL) == versions
    assert run("prune", "behavior/purchase", "--keep", "0").endswith(f"removed: {versions[3]}\n")
    assert Registry(root).versions(*MODEL) == versions[:3]
    assert run("prune", "behavior/purchase", "--keep", "0").endswith("nothing to remove\n")
    assert run("unpin", "behavior/purchase", versions[2]) == f"no longer pinned: behavior/purchase {versions[2]}\n"


def test_errors_are_one_line(run, versions, root):
    assert run("unpin", "behavior/purchase", versions[0], code=1).startswith(f"error: '{versions[0]}' of behavior/pu")
    assert run("show", "behavior/signup", code=1).endswith(
        "has no behavior/signup; publish a version, or name another --registry\n"
    )
    card = root / "behavior" / "purchase" / versions[0] / "model_card.json"
    card.chmod(0o644)
    card.write_text("{}")
    assert "model_card.json is not what was published" in run("show", "behavior/purchase", code=1)
