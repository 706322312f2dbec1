import json
from pathlib import Path

import pytest

from models.rescored import Change, Rescored, RescoreError, SliceChange, rescore_command

FOUND = Rescored(
    {"auc": 0.7, "log_loss": 0.25},
    {"auc": Change(0.01, -0.02, 0.04)},
    (SliceChange("clicks up to 3", 400, 0.7, 0.72, Change(0.02, -0.1, 0.14)),),
)


def test_what_was_found_survives_the_way_through_json() -> None:
    assert Rescored.from_json(FOUND.to_json()) == FOUND
    assert json.loads(FOUND.to_json())["changes"] == {"auc": [0.01, -0.02, 0.04]}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"metrics": {}}', '{"metrics": {}, "changes": {"auc": [1]}, "slices": []}']
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RescoreError, match="this is no comparison with a champion .*; make it again"):
        Rescored.from_json(text)


def test_the_command_writes_what_was_found(tmp_path: Path) -> None:
    argv = ["--champion=a", "--candidate=b", "--examples=c", f"--output={tmp_path}/found.json"]
    asked = []

    def rescore(*given: object) -> Rescored:
        asked.append(given)
        return FOUND

    assert rescore_command("rescore", rescore, argv) == 0
    assert asked == [(Path("a"), Path("b"), "c")]
    assert Rescored.from_json((tmp_path / "found.json").read_bytes()) == FOUND


def test_the_command_tells_what_is_missing_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rescore_command("rescore", lambda *_: FOUND, ["--champion=a", f"--output={tmp_path}/found.json"]) == 1
    assert capsys.readouterr().err == "error: candidate is missing; give it with --candidate\n"
    assert list(tmp_path.iterdir()) == []
