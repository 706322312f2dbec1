"""docs/scraping.md: its recipe works, its output is what one sees, its reasons are those there are."""

import os
import re
import subprocess
import sys
from pathlib import Path

from features import catalogue
from features.fetching import REASONS
from tests.augury.scraping.shop import open_shop

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "scraping.md").read_text()


def test_the_recipe_of_the_guide_gives_the_output_of_the_guide(tmp_path: Path) -> None:
    [recipe] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)[1]
    with open_shop(40) as shop:
        recipe = recipe.replace("https://shop.example.org", shop.base).replace("shop.example.org", "127.0.0.1")
        (tmp_path / "shop.toml").write_text(recipe)
        command = [sys.executable, "-m", "augury.cli", "scrape", "shop.toml", "--output=catalogue", "--allow-private"]
        command += ["--requests-per-second=1000", "--attempts=1", "--max-failed-share=0.5"]
        environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.stderr, done.returncode) == ("", 0)
        printed = re.sub(r"127\.0\.0\.1:\d+", "shop.example.org", done.stdout.replace("http://", "https://"))
        assert re.sub(r"[ ─━]+", " ", printed).split() == re.sub(r"[ ─━]+", " ", shown).split()


def test_a_recipe_that_cannot_be_is_an_error_in_one_line(tmp_path: Path) -> None:
    shown = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)[0]
    [recipe] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "shop.toml").write_text(recipe.replace('"li.product"', '"li["'))
    command = [sys.executable, "-m", "augury.cli", "scrape", "shop.toml", "--dry-run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stderr, done.returncode) == (shown, 1)


def test_every_reason_is_explained() -> None:
    for reason in (*REASONS, *catalogue.REASONS):
        assert f"`{reason}`" in GUIDE, reason
