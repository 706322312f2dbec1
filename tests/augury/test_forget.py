"""``augury archive`` and ``augury forget``: the archive by hand, beside a store of one's own or the embedded one."""

import re
from collections import Counter

import orjson
import pyarrow as pa
import pytest
import redis
from typer.testing import CliRunner

from augury import cli
from features.recent_events import push_events
from features.recent_rules import RecentRules
from features.segment import SegmentAdapter
from serving.compaction_parts import alone
from serving.embedded import EmbeddedStore
from serving.spool import SpoolFile
from serving.store import clock_us
from tests.real_redis import running_server
from tests.spooled import keys_of, message, write_spool


@pytest.fixture
def run(tmp_path):
    def invoke(*argv, code=0, **environment):
        state = {"COLUMNS": "200", "AUGURY_STATE_DIR": str(tmp_path), **environment}
        done = CliRunner().invoke(cli.app, argv, env=state)
        assert done.exit_code == code, done.output
        return re.sub(r"\d+\.\d s", "N s", done.stderr if code else done.stdout)

    return invoke


def push(url, *messages):
    lines = pa.array([orjson.dumps(item) for item in messages], pa.binary())
    with redis.Redis.from_url(url) as client:
        push_events(client, SegmentAdapter().adapt(lines, "test").events, RecentRules(), clock_us())


def test_archive_says_what_was_written_and_dropped(run, tmp_path):
    write_spool(tmp_path / "spool", [message("1"), message("1"), b"nonsense"])
    file = SpoolFile(tmp_path / "spool" / "events", clock_us())
    file.append(b"{}\n")
    said = run("archive")
    assert said.startswith("1 spool files with 3 lines compacted in N s; 1 still being written\n")
    words = [re.sub(r"[^\w ]+", "", line).split() for line in said.splitlines()]
    for line in ("written events 1", "written rejected 1", "dropped duplicate 1", "rejected not_json 1"):
        assert line.split() in words
    assert f"next: augury examples {tmp_path}/archive/events --adapter canonical --output examples" in said
    file.close()
    assert keys_of(tmp_path / "archive") == Counter({("v", "1"): 1})


def test_archive_takes_its_folders_from_the_command_line(run, tmp_path):
    write_spool(tmp_path / "other" / "spool", [message("1")])
    run("archive", "--state-dir", str(tmp_path / "other"), "--archive", str(tmp_path / "elsewhere"))
    assert keys_of(tmp_path / "elsewhere") == Counter({("v", "1"): 1})


def test_forget_in_a_redis_of_ones_own(run, tmp_path):
    now_us = clock_us()
    sent = [message("1", "a", now_us), message("2", "a", now_us, userId="42"), message("3", "b", now_us)]
    write_spool(tmp_path / "spool", sent, now_us)
    run("archive")
    with running_server() as server:
        push(server.url, *sent)
        said = run("forget", "a", REDIS_URL=server.url)
        assert "fast store: 2 events and 1 links of user:42 removed\narchive: 2 tombstones set\n" in said
        assert "earlier events" in said
    assert keys_of(tmp_path / "archive") == Counter({("b", "3"): 1})


def test_forget_in_the_embedded_store_running_or_not(run, tmp_path):
    with EmbeddedStore(tmp_path / "store") as store:
        push(store.url, message("1", "a", clock_us()), message("2", "b", clock_us()))
        assert "fast store: 1 events and 0 links of a removed" in run("forget", "a")
    assert "fast store: 1 events and 0 links of b removed" in run("forget", "b")


def test_forget_without_a_store_and_beside_another_compaction(run, tmp_path):
    write_spool(tmp_path / "spool", [message("1")])
    with alone(tmp_path / "spool", str(tmp_path / "archive")):
        said = run("forget", "v")
        assert "fast store: there is none here; set REDIS_URL if the service has one elsewhere" in said
        assert "archive: partitions pending; the compaction that is at work, or the next, rewrites them" in said
        assert "another compaction is at work" in run("archive", code=1)
    run("archive")
    assert keys_of(tmp_path / "archive") == Counter()


def test_forget_with_a_store_that_is_away_is_one_line(run):
    said = run("forget", "v", REDIS_URL="redis://127.0.0.1:1", code=1)
    assert said.startswith("error: the fast store at redis://127.0.0.1:1 cannot be used: no connection")
