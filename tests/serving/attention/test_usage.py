"""Every request leaves a line, whatever became of it; images only where a setting asks, few and for some time."""

import asyncio
import hashlib
from pathlib import Path

import orjson
import pytest

from serving.archive import HEATMAPS, SpoolArchive
from serving.attention.kept_images import KeptImages
from serving.compaction import compact
from serving.compaction_parts import list_parts, open_part
from serving.compaction_streams import HEATMAP_SCHEMA, read_stream
from serving.spool import HOUR_US
from serving.usage_log import UsageLog
from tests.running_service import eventually
from tests.served_attention import NAME, picture, png

IMAGE, OTHER = png(picture()), png(picture(120, 128, seed=4))
DAY = 86_400.0


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_line_says_what_was_asked_and_what_became_of_it(start) -> None:
    service = start()
    asked = service.heatmap(IMAGE, format="json", region=["a:0,0,9,9", "b:9,9,9,9"])
    service.compare(IMAGE, OTHER)
    service.heatmap(b"no image")
    service.heatmap(IMAGE, model="other")
    service.heatmap(IMAGE, url="https://shop.example/page.png")
    eventually(lambda: len(service.lines()) == 5, seconds=600.0)
    heatmap, compare, refused, unknown, forbidden = (orjson.loads(line) for line in service.lines())
    version = asked.headers["X-Model"].split()[1]
    assert len(heatmap["heatmap_id"]) == 32 and heatmap["time_us"] > 0 and heatmap["seconds"] > 0
    assert (
        heatmap.items()
        >= {
            "request_id": asked.headers["X-Request-ID"],
            "kind": "heatmap",
            "outcome": "made",
            "status": 200,
            "model": NAME,
            "version": version,
            "format": "json",
            "images": [sha(IMAGE)],
            "bytes": len(IMAGE),
            "width": 128,
            "height": 96,
            "regions": 2,
            "asked_by": "body",
        }.items()
    )
    assert compare.items() >= {"kind": "compare", "format": "overlay", "bytes": len(IMAGE) + len(OTHER)}.items()
    assert compare["images"] == [sha(IMAGE), sha(OTHER)] and compare["height"] == 120
    assert refused.items() >= {"outcome": "not_an_image", "status": 415, "bytes": 8, "width": None}.items()
    assert unknown.items() >= {"outcome": "unknown_model", "status": 404, "model": "other", "version": None}.items()
    assert forbidden.items() >= {"outcome": "url_not_allowed", "status": 400, "asked_by": "url"}.items()
    assert b"shop.example" not in b"".join(service.lines())
    assert not (service.service.settings.state_dir / "heatmap-images").exists()
    for outcome in ("made", "not_an_image", "unknown_model", "url_not_allowed"):
        assert service.sample(f'augury_heatmaps_total{{kind="heatmap",outcome="{outcome}"}}') == 1
    assert service.sample("augury_heatmap_seconds_count") == 3
    assert service.sample('augury_logged_heatmaps_total{outcome="logged"}') == 5
    read = read_stream(HEATMAPS, service.lines())
    assert read.events.schema == HEATMAP_SCHEMA and read.rejected.num_rows == 0
    assert read.events.to_pylist()[0] == {**heatmap, "other": None}


def test_a_share_of_none_logs_none(start) -> None:
    service = start(prediction_log_share=0.0)
    service.heatmap(IMAGE)
    assert service.sample('augury_logged_heatmaps_total{outcome="left_out"}') == 1
    assert service.lines() == []


def test_lines_become_partitions_and_leave_them_in_time(tmp_path: Path) -> None:
    hour = 1_700_000_000_000_000 // HOUR_US * HOUR_US

    async def log() -> None:
        archive = SpoolArchive(tmp_path / "spool")
        usage = UsageLog(archive, HEATMAPS, now_us=lambda: hour)
        await usage.start()
        usage.record("0" * 32, {"kind": "heatmap", "outcome": "made", "seconds": 0.25, "images": ["ff"]})
        await usage.close()
        await archive.close()

    asyncio.run(log())
    root = str(tmp_path / "archive")
    compact(tmp_path / "spool", root, prediction_log_days=1, now_us=hour + 2 * HOUR_US)
    [part] = list_parts(root, HEATMAPS)
    with open_part(part) as opened:
        [row] = opened.read().to_pylist()
    assert (row["heatmap_id"], row["kind"], row["seconds"], row["images"]) == ("0" * 32, "heatmap", 0.25, ["ff"])
    assert compact(tmp_path / "spool", root, prediction_log_days=1, now_us=hour + 26 * HOUR_US).expired == 1
    assert list_parts(root, HEATMAPS) == []


def test_images_are_kept_where_a_setting_asks(start) -> None:
    service = start(heatmap_images_mb=1)
    service.heatmap(IMAGE)
    service.compare(IMAGE, OTHER)
    service.heatmap(b"no image")
    folder = service.service.settings.state_dir / "heatmap-images"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {sha(IMAGE): IMAGE, sha(OTHER): OTHER}


def test_the_oldest_images_leave_when_there_are_too_many_bytes_or_days(tmp_path: Path) -> None:
    import os

    kept = KeptImages(tmp_path / "images", 100, 10.0, now=lambda: 100 * DAY)
    for number, (name, size) in enumerate([("a", 40), ("b", 40), ("c", 40)]):
        assert kept.keep(name, bytes(size))
        os.utime(tmp_path / "images" / name, (95 * DAY + number, 95 * DAY + number))
    kept.prune()
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["b", "c"]
    os.utime(tmp_path / "images" / "b", (89 * DAY, 89 * DAY))
    assert kept.prune() == 1
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["c"]
    assert not kept.keep("d", bytes(101))
    assert KeptImages(tmp_path / "images", 0, 10.0, now=lambda: 100 * DAY).prune() == 1  # the setting was taken away


def test_an_image_that_cannot_be_kept_is_answered_all_the_same(start, tmp_path: Path) -> None:
    service = start(heatmap_images_mb=1)
    (service.service.settings.state_dir / "heatmap-images").write_text("a file where the folder should be")
    assert service.heatmap(IMAGE).status_code == 200


@pytest.mark.parametrize("stream", ["predictions", "heatmaps"])
def test_each_stream_has_its_own_id(tmp_path: Path, stream: str) -> None:
    async def log() -> bytes:
        archive = SpoolArchive(tmp_path)
        usage = UsageLog(archive, stream)
        usage.record("f" * 32, {})
        await usage.close()
        await archive.close()
        [path] = (tmp_path / stream).iterdir()
        return path.read_bytes()

    assert orjson.loads(asyncio.run(log()))[f"{stream[:-1]}_id"] == "f" * 32
