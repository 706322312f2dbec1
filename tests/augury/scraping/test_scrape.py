"""Whole scrapes of a local shop: everything is counted, nothing is lost, nothing is fetched that need not be."""

import csv
import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from augury.scraping.options import ScrapeError, ScrapeOptions
from augury.scraping.politeness import Clock
from augury.scraping.scrape import preview, scrape
from features.catalogue import read_manifest
from tests.augury.scraping.shop import BRANDS, PER_PAGE, Shop, open_shop, picture

PRODUCTS = 240


class Waits:
    """A clock that only goes on when somebody waits."""

    def __init__(self) -> None:
        self.time, self.slept = 0.0, list[float]()
        self.clock = Clock(lambda: self.time, self.sleep, lambda: 1_790_000_000_000_000 + int(self.time * 1e6))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def options(shop: Shop, folder: Path, **more: Any) -> ScrapeOptions:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_text(shop.recipe())
    given = {"allow_private": True, "max_failed_share": 0.5, "timeout_seconds": 600.0, "attempts": 3, **more}
    return ScrapeOptions(str(folder / "recipe.toml"), str(folder / "out"), **given)


def manifest(folder: Path) -> list[dict[str, str]]:
    with open(folder / "out" / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


def stored(folder: Path) -> dict[str, str]:
    root = folder / "out"
    found = [path for path in (root / "images").rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_whole_shop(tmp_path: Path) -> None:
    with open_shop(PRODUCTS) as shop:
        waits = Waits()
        about = scrape(options(shop, tmp_path, contact="shop@example.org"), waits.clock)
        rows = manifest(tmp_path)

        assert [row["shoe_name"] for row in rows] == [f"Shoe № {n}" for n in shop.expected()]
        assert [row["shoe_brand"] for row in rows] == [BRANDS[n % 4] for n in shop.expected()]
        assert {row["shoe_gender"] for row in rows} == {"women"}
        assert [row["price"] for row in rows] == [f"{n % 90 + 10}.{n % 100:02d}" for n in shop.expected()]
        assert {row["currency"] for row in rows} == {"EUR"}
        assert [row["source_url"] for row in rows] == [f"{shop.base}/shoes/item/{n}?from=list" for n in shop.expected()]
        assert [row["page_url"] for row in rows] == [
            f"{shop.base}/shoes?page={n // PER_PAGE + 1}" for n in shop.expected()
        ]
        sums = [hashlib.sha256(picture(n)).hexdigest() for n in shop.expected()]
        assert [row["sha256"] for row in rows] == sums
        assert [row["relative_im_path"] for row in rows] == [f"images/{s[:2]}/{s}.png" for s in sums]
        # The image of a copy is that of a product.
        assert stored(tmp_path) == {f"images/{digest[:2]}/{digest}.png": digest for digest in sums}

        assert about["rejected"] == shop.rejected()
        assert about["products"] == len(rows) == len(shop.expected())
        items = about["rejected"]["item"]
        assert about["items"] == len(rows) + sum(items.values()) + sum(about["rejected"]["image"].values())
        assert about["ends"] == {
            f"{shop.base}/shoes?page=1": "page without a new item",
            f"{shop.base}/sale?page=a": "page seen before",
            f"{shop.base}/private/list": "page failed",
        }
        assert about["network"]["requests"] == sum(shop.asked.values()) - shop.asked["/robots.txt"]
        assert shop.asked["/robots.txt"] == 1
        assert not any(path.startswith("/private") for path in shop.asked)
        assert shop.agents == {"Augury/0.1.0 (product catalogue; shop@example.org)"}
        assert json.loads((tmp_path / "out" / "scrape.json").read_text()) == about
        with open(tmp_path / "out" / "rejected.csv", newline="") as file:
            letters = Counter((row["what"], row["reason"]) for row in csv.DictReader(file))
        assert letters == {(w, r): n for w, reasons in about["rejected"].items() for r, n in reasons.items()}

        catalogue = read_manifest(tmp_path / "out" / "manifest.csv")
        assert (catalogue.products.num_rows, catalogue.counts()) == (len(rows), {})
        assert catalogue.products["name"][0].as_py() == "Shoe № 0"

        # One request a second at most, however many there were; what asked for more time got it.
        assert waits.time >= about["network"]["requests"] - 1
        assert waits.slept.count(17.0) == PRODUCTS // 40


def test_a_second_run_downloads_nothing_anew(tmp_path: Path) -> None:
    with open_shop(80) as shop:
        given = options(shop, tmp_path)
        first = scrape(given, Waits().clock)
        before = (manifest(tmp_path), stored(tmp_path))
        shop.statuses.clear()
        again = scrape(given, Waits().clock)
        assert (manifest(tmp_path), stored(tmp_path)) == before
        assert (again["run"], again["resumed"], again["rejected"]) == (2, False, first["rejected"])
        assert again["network"]["images unchanged"] == again["products"] + first["rejected"]["image"]["duplicate_image"]
        assert again["network"]["pages unchanged"] == again["pages"] - 1
        assert "pages downloaded" not in again["network"]
        # Only what was refused for its content is looked at again.
        pages = first["rejected"]["image"]["wrong_type"]
        assert shop.statuses[200] == 1 + pages + again["network"]["images downloaded"]
        assert again["network"]["images downloaded"] == sum(
            first["rejected"]["image"][reason] for reason in ("image_truncated", "image_too_small")
        )


def test_a_changed_recipe_reads_the_pages_again_but_no_image(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        given = options(shop, tmp_path)
        first = scrape(given, Waits().clock)
        changed = Path(given.recipe).read_text().replace('"women"', '"men"')
        Path(given.recipe).write_text(changed)
        again = scrape(given, Waits().clock)
        assert {row["shoe_gender"] for row in manifest(tmp_path)} == {"men"}
        assert again["network"]["pages downloaded"] == first["network"]["pages downloaded"]
        assert again["network"]["images unchanged"] == first["products"] + 1


def test_an_image_that_somebody_removed_is_fetched_again(tmp_path: Path) -> None:
    with open_shop(20) as shop:
        given = options(shop, tmp_path)
        scrape(given, Waits().clock)
        files = stored(tmp_path)
        (tmp_path / "out" / min(files)).unlink()
        scrape(given, Waits().clock)
        assert stored(tmp_path) == files


def test_a_shop_that_is_down_later_loses_nothing(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        given = options(shop, tmp_path)
        first = scrape(given, Waits().clock)
        rows = manifest(tmp_path)
        shop.broken = True
        again = scrape(replace(given, max_failed_share=1.0), Waits().clock)
        assert manifest(tmp_path) == rows
        assert again["network"]["pages kept, for not reachable"] == first["network"]["pages downloaded"]
        assert again["network"]["images kept, for not reachable"] == first["products"] + 1


def test_limits(tmp_path: Path) -> None:
    with open_shop(80) as shop:
        about = scrape(options(shop, tmp_path, max_products=5), Waits().clock)
        assert (about["products"], about["finished"]) == (5, True)
        assert list(about["ends"].values()) == ["--max-products"]
        assert [row["shoe_name"] for row in manifest(tmp_path)] == [f"Shoe № {n}" for n in shop.expected()[:5]]


def test_a_limit_of_bytes_is_where_the_next_run_goes_on(tmp_path: Path) -> None:
    with open_shop(80) as shop:
        given = options(shop, tmp_path, max_bytes=40_000)
        runs = 1
        while not (about := scrape(given, Waits().clock))["finished"]:
            assert list(about["ends"].values())[-1] == "--max-bytes"
            runs += 1
        assert runs > 2
        assert (about["run"], about["resumed"]) == (1, True)
        assert [row["shoe_name"] for row in manifest(tmp_path)] == [f"Shoe № {n}" for n in shop.expected()]
        once = {path: count for path, count in shop.asked.items() if path.startswith("/shoes")}
        assert set(once.values()) == {1}


def test_an_unfinished_run_that_is_old_is_begun_anew(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        waits = Waits()
        given = options(shop, tmp_path, max_bytes=30_000, resume_hours=1.0)
        assert scrape(given, waits.clock)["run"] == 1
        assert scrape(given, waits.clock)["run"] == 1
        waits.time += 3601
        assert scrape(replace(given, max_bytes=None), waits.clock)["run"] == 2


def test_a_dry_run_writes_nothing_and_fetches_no_image(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        found = preview(options(shop, tmp_path, dry_run=True), Waits().clock)
        assert (len(found["items"]), found["next"]) == (PER_PAGE, f"{shop.base}/shoes?page=2")
        assert found["items"][0] == {
            "name": "Shoe № 0",
            "brand": "Ångström",
            "gender": "women",
            "price": "10,00 €",
            "image": f"{shop.base}/img/0.png",
            "url": f"{shop.base}/shoes/item/0?from=list",
        }
        assert set(shop.asked) == {"/robots.txt", "/shoes?page=1"}
        assert not (tmp_path / "out").exists()


def test_too_many_failures_are_an_error_but_what_came_is_there(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        with pytest.raises(ScrapeError, match=r"8 of 37 images failed \(.*\); what came is in the manifest"):
            scrape(options(shop, tmp_path, max_failed_share=0.2), Waits().clock)
        assert len(manifest(tmp_path)) == len(shop.expected())


def test_a_shop_that_is_down(tmp_path: Path) -> None:
    with open_shop(40) as shop:
        shop.broken = True
        with pytest.raises(ScrapeError, match=r"no product was found \(2 page bad_status, 1 page robots_disallowed\)"):
            scrape(options(shop, tmp_path), Waits().clock)
        assert shop.asked["/shoes?page=1"] == 3


@pytest.mark.parametrize(
    ("robots", "got"), [(404, True), (403, True), (500, False), (429, False), ("\0\xff<html>", True)]
)
def test_what_becomes_of_a_shop_with_that_robots_txt(tmp_path: Path, robots: str | int, got: bool) -> None:
    with open_shop(3, robots=robots) as shop:
        if got:
            assert scrape(options(shop, tmp_path), Waits().clock)["products"] == 3
        else:
            with pytest.raises(ScrapeError, match="no product was found .3 page robots_unreachable"):
                scrape(options(shop, tmp_path), Waits().clock)
            assert shop.asked == {"/robots.txt": 3}


def test_a_crawl_delay_is_kept(tmp_path: Path) -> None:
    with open_shop(3, robots="User-agent: augury\nCrawl-delay: 7\n") as shop:
        waits = Waits()
        about = scrape(options(shop, tmp_path), waits.clock)
        assert waits.slept == [7.0] * about["network"]["requests"]
    with open_shop(3, robots="User-agent: *\nCrawl-delay: 7000\n") as shop:
        with pytest.raises(ScrapeError, match="robots_too_slow"):
            scrape(options(shop, tmp_path), Waits().clock)


def test_the_folder_belongs_to_one_recipe_and_one_process(tmp_path: Path) -> None:
    with open_shop(3) as shop:
        given = options(shop, tmp_path)
        message: list[str] = []

        def second(path: str) -> None:
            if path.startswith("/img") and not message:
                with pytest.raises(ScrapeError) as caught:
                    scrape(given, Waits().clock)
                message.append(str(caught.value))

        shop.on_request = second
        scrape(given, Waits().clock)
        assert message == [f"another scrape is writing to {given.output}; wait for it, or choose another folder"]
        Path(given.recipe).write_text(shop.recipe().replace("test-shop", "other-shop"))
        with pytest.raises(ScrapeError, match="holds a scrape by the recipe 'test-shop'; choose another folder"):
            scrape(given, Waits().clock)
        (tmp_path / "out" / "state.sqlite").write_bytes(b"no database" * 1000)
        with pytest.raises(ScrapeError, match="cannot be read as the state of a scrape"):
            scrape(given, Waits().clock)
