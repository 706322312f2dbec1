"""docs/creative-examples.md keeps up with the code, and its command does what it shows."""

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augury import cli
from features import variants
from features.conversions import COUNTS, EVENTS, KEYS, REASONS
from features.conversions_tables import WRONG_COLUMNS
from features.creative_spec import CreativeSpec
from features.variants import ENTRY_POINT_GROUP, Variant, load_variant, variant_params
from pipelines.creative_options import CreativeExamplesOptions
from pipelines.creative_recipe import DUPLICATE_PRODUCT, NO_PRODUCT
from transforms.make_variants import MISSING, UNREADABLE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "creative-examples.md").read_text()
PRODUCTS = Path(os.environ.get("AUGURY_DATA", ROOT.parent / "shared" / "data")) / "products"


def test_every_variant_parameter_reason_and_feature_is_described() -> None:
    names = [*variants._SHIPPED, *REASONS, WRONG_COLUMNS, NO_PRODUCT, DUPLICATE_PRODUCT, MISSING, UNREADABLE]
    names += [name for variant in variants._SHIPPED for name in variant_params(load_variant(variant))]
    names += [*CreativeSpec().tensors(), *KEYS, *COUNTS, *EVENTS, *(target.name for target in CreativeSpec().targets)]
    assert [name for name in names if f"`{name}`" not in GUIDE and f"{name}," not in GUIDE] == []


def test_every_flag_it_names_exists() -> None:
    known = {f"--{name.replace('_', '-')}" for name in CreativeExamplesOptions.__dataclass_fields__}
    own = GUIDE.replace("next: augury train variants --examples", "")
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own)) <= known


def test_targets_are_those_of_the_spec() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` / `(\w+)` \| (most|least) \|$", GUIDE, re.MULTILINE)
    spec = [
        (one.name, one.count, one.among, "least" if one.less_is_better else "most") for one in CreativeSpec().targets
    ]
    assert rows == spec


def test_the_variant_shown_is_one() -> None:
    [code] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    namespace = {"__name__": "my_shop.variants"}
    exec(compile(code, "guide", "exec"), namespace)
    mirrored = namespace["Mirrored"]
    assert issubclass(mirrored, Variant)
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    assert mirrored().apply(image).tolist() == [[[3, 4, 5], [0, 1, 2]]]
    assert f'[project.entry-points."{ENTRY_POINT_GROUP}"]' in GUIDE


@pytest.mark.skipif(not PRODUCTS.is_dir(), reason=f"no {PRODUCTS}; name the data's folder in AUGURY_DATA")
def test_the_command_shown_prints_what_is_shown(tmp_path: Path) -> None:
    [(line, shown)] = re.findall(r"^\$ augury (.*?)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    given = [
        str(PRODUCTS) + word.removeprefix("../shared/data/products") if "shared" in word else word
        for word in shlex.split(line)
    ]
    given[given.index("--output") + 1] = str(tmp_path / "examples")
    done = CliRunner().invoke(cli.app, given, env={"COLUMNS": "110"})
    assert done.exit_code == 0, done.output
    printed = done.stdout.replace(str(tmp_path / "examples"), "examples")
    assert printed.split() == shown.split()
