"""The examples pipeline reads the archive that the service leaves, and leaves out whom the archive is to forget."""

from pathlib import Path
from typing import Any

import pytest

from features.tombstones import Tombstones
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptionError, ExamplesOptions, make_recipe
from serving.compaction import compact
from tests.spooled import NOON_US, hours, message, write_spool

PAGE = {"userAgent": "Mozilla/5.0 Firefox/120.0", "page": {"url": "https://shop.example/", "referrer": ""}}


def visit(visitor: str, hour: int, *events: str, **more: Any) -> list[dict[str, Any]]:
    times = [NOON_US + hours(hour) + 60_000_000 * minute for minute in range(len(events))]
    return [
        message(f"{visitor}-{hour}-{i}", visitor, at_us, event=event, context=PAGE, **more)
        for i, (event, at_us) in enumerate(zip(events, times, strict=True))
    ]


@pytest.fixture
def archive(tmp_path: Path) -> str:
    spool = tmp_path / "spool"
    buyer = visit("buyer", 0, "Product Viewed", "Product Added", "Order Completed")
    write_spool(spool, buyer)
    again = visit("buyer", 0, "Product Viewed")
    write_spool(spool, again + visit("looker", 1, "Product Viewed", "Product Viewed"), NOON_US + hours(1))
    write_spool(spool, visit("gone", 2, "Product Viewed", userId="42"), NOON_US + hours(2))
    write_spool(spool, visit("back", 0, "Product Viewed"), NOON_US)
    write_spool(spool, visit("back", 3, "Product Viewed", "Product Viewed"), NOON_US + hours(3))
    compact(spool, str(tmp_path / "archive"))
    return str(tmp_path / "archive")


def options(archive: str, name: str, **more: Any) -> ExamplesOptions:
    output = str(Path(archive).parent / name)
    return ExamplesOptions(events=(f"{archive}/events",), output=output, adapter="canonical", shards=1, **more)


def test_partitions_are_read_as_they_are(archive: str) -> None:
    card = make_examples(options(archive, "data"))
    assert card["events"] == {"read": 9, "rejected": {}, "dropped": {}}
    assert (card["visitors"], sum(split["examples"] for split in card["splits"].values())) == (4, 4)


def test_the_forgotten_beside_the_archive_are_left_out(archive: str) -> None:
    Tombstones.append(f"{archive}/tombstones", ["user:42", "back"], NOON_US + hours(2))
    card = make_examples(options(archive, "data"))
    assert card["events"] == {"read": 9, "rejected": {}, "dropped": {"forgotten": 2}}
    assert card["visitors"] == 3


def test_tombstones_of_another_place_can_be_named(archive: str, tmp_path: Path) -> None:
    Tombstones.append(str(tmp_path / "others"), ["looker"], NOON_US + hours(24))
    recipe = make_recipe(options(archive, "data", tombstones=str(tmp_path / "others")))
    assert (len(recipe.tombstones), {"user_id", "received_at_us"} <= {*recipe.read_columns}) == (1, True)
    card = make_examples(options(archive, "data", tombstones=str(tmp_path / "others")))
    assert card["events"]["dropped"] == {"forgotten": 2}


def test_a_place_without_tombstones_is_refused(archive: str, tmp_path: Path) -> None:
    with pytest.raises(ExamplesOptionError, match="tombstones .*nowhere has no tombstones in it; name the folder"):
        make_recipe(options(archive, "data", tombstones=str(tmp_path / "nowhere")))
    assert len(make_recipe(options(archive, "data")).tombstones) == 0
