"""A scrape that is killed (SIGKILL) and run again comes to the same end, and asks for hardly anything twice."""

import os
import random
import signal
from pathlib import Path
from typing import Any

from augury.scraping.options import ScrapeOptions
from augury.scraping.politeness import Clock
from augury.scraping.scrape import scrape
from tests.augury.scraping.shop import Shop, open_shop
from tests.augury.scraping.test_scrape import Waits, manifest, options, stored
from tests.killed import run_killed_at, started

PRODUCTS = 26
FAULTY = ("/img/13.png", "/img/15.png")  # answered differently the second time
SEVERAL = ("/img/11.png", "/img/25.png")  # tried, or redirected: one image is several requests


def _scrape(given: ScrapeOptions) -> None:
    scrape(given, Clock(sleep=lambda seconds: None))


def _timeless(folder: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "fetched_at_us"} for row in manifest(folder)]


def _local(rows: list[dict[str, str]], shop: Shop) -> list[dict[str, str]]:
    """Returns rows without what differs from shop to shop: its port, and the ids made of its URLs."""
    return [
        {name: value.replace(shop.base, "") for name, value in row.items() if name not in ("product", "fetched_at_us")}
        for row in rows
    ]


def _killed_at_request(number: int, given: ScrapeOptions, shop: Shop) -> bool:
    """Scrapes in a process that is killed when its ``number``-th request arrives; says whether it came so far."""
    shop.on_request = lambda path: None
    seen: list[str] = []
    process: list[Any] = []

    def count(path: str) -> None:
        seen.append(path)
        if len(seen) == number:
            os.kill(process[0].pid, signal.SIGKILL)

    shop.on_request = count
    process.append(started(_scrape, given))
    process[0].join()
    assert process[0].exitcode in (0, -signal.SIGKILL)
    return process[0].exitcode != 0


def test_killed_again_and_again_at_any_request(tmp_path: Path) -> None:
    with open_shop(PRODUCTS) as whole:
        scrape(options(whole, tmp_path / "whole"), Waits().clock)
        expected, files = _local(manifest(tmp_path / "whole"), whole), stored(tmp_path / "whole")
    chance = random.Random(7)
    with open_shop(PRODUCTS) as shop:
        given, kills = options(shop, tmp_path / "killed"), 0
        while _killed_at_request(chance.randint(8, 16), given, shop):
            kills += 1
            assert not (tmp_path / "killed" / "out" / "manifest.csv").exists()
        assert kills >= 2
        assert _local(manifest(tmp_path / "killed"), shop) == expected
        assert stored(tmp_path / "killed") == files
        # What was on its way when the process died is asked for again, and each process reads robots.txt.
        shop.asked.pop("/robots.txt")
        tries = dict.fromkeys(shop.asked, 1) | {"/img/11.png": 3, **dict.fromkeys(FAULTY, 2)}
        more = {path: count - tries[path] for path, count in shop.asked.items() if count > tries[path]}
        assert sum(count for path, count in more.items() if path not in SEVERAL) <= kills


def test_killed_at_any_change_of_the_file_system(tmp_path: Path) -> None:
    """Images, manifest and the rest are renamed into place: every such moment of a small scrape is tried."""
    with open_shop(2) as shop:
        scrape(options(shop, tmp_path / "whole"), Waits().clock)
        expected, files = _timeless(tmp_path / "whole"), stored(tmp_path / "whole")
        step, finished = 1, False
        while not finished:
            folder = tmp_path / f"killed{step}"
            given = options(shop, folder)
            finished = not run_killed_at(step, _scrape, given)
            for name in ("manifest.csv", "rejected.csv", "scrape.json"):
                path = folder / "out" / name
                assert not path.exists() or path.read_bytes()
            assert stored(folder).items() <= files.items() | {
                item
                for item in stored(folder).items()
                if "/." in item[0]  # a hidden file, never listed
            }
            _scrape(given)
            assert _timeless(folder) == expected
            assert {name: digest for name, digest in stored(folder).items() if "/." not in name} == files
            step += 1
        assert step > 6
