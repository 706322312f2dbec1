"""docs/gaze.md keeps up with the code."""

import re
from pathlib import Path

from features import gaze
from features.attention_spec import DEFAULT_MERGE, AttentionSpec
from features.gaze_matlab import READERS
from pipelines.attention_sets import read_sets
from transforms.attention_splits import NEAR_DUPLICATE
from transforms.write_attention import NO_GAZE

GUIDE = (Path(__file__).parents[2] / "docs" / "gaze.md").read_text()


def test_the_sets_file_shown_is_one(tmp_path: Path) -> None:
    path = tmp_path / "sets.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", GUIDE, re.DOTALL)[1])
    found = read_sets(str(path))
    assert [one.name for one in found.sets] == ["osie", "pages"]
    assert found.sets[1].sigma_px == 38
    assert found.merge == DEFAULT_MERGE
    assert found.sets[0].gaze[1].path == str(tmp_path / "osie/mouse_contingent.csv.gz")


def test_every_reason_form_and_feature_is_described() -> None:
    names = [gaze.NO_IMAGE_NAME, gaze.BAD_NUMBER, gaze.WRONG_COLUMNS, gaze.UNKNOWN_IMAGE, gaze.EMPTY_MASK]
    names += [gaze.OTHER_SHAPE, gaze.OUTSIDE, gaze.FORCED_FIRST, gaze.TOO_LONG, gaze.NOT_READ, NEAR_DUPLICATE, NO_GAZE]
    names += [*READERS, *AttentionSpec().tensors()]
    assert [name for name in names if f"`{name}`" not in GUIDE] == []
