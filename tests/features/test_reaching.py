"""A cloud storage that cannot be reached, or comes up late: told within seconds, in one line."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from features import reaching
from features.reaching import UnreachableError, reach
from features.storage import StorageError, atomic_write, exists, is_local, list_files, local_folder, read_bytes


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port of this machine on which nobody listens, where the client of gs:// is led."""
    with socket.socket() as held:  # bound and not listening: connections are refused, and nobody else gets the port
        held.bind(("127.0.0.1", 0))
        number = held.getsockname()[1]
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{number}")
        reaching._connect.cache_clear()
        yield number
    reaching._connect.cache_clear()


def test_what_cannot_be_reached_is_one_line_within_seconds(port: int, tmp_path: Path) -> None:
    before = time.monotonic()
    with pytest.raises(StorageError) as refused:
        read_bytes("gs://shop/a")
    assert time.monotonic() - before < reaching.REACH_SECONDS + 1
    assert str(refused.value) == (
        f"cannot read gs://shop/a: 127.0.0.1:{port} cannot be reached (Connection refused); check the network"
    )


def test_every_reading_and_writing_tells_it(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "REACH_SECONDS", 0.1)
    for asked in (exists, list_files, local_folder, read_bytes):
        with pytest.raises(StorageError, match=f"cannot read gs://shop/a: 127.0.0.1:{port} cannot be reached"):
            asked("gs://shop/a")
    with pytest.raises(StorageError, match=f"cannot write gs://shop/a: 127.0.0.1:{port} cannot be reached"):
        atomic_write("gs://shop/a", b"")


def test_a_storage_that_never_answers_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "REACH_SECONDS", 0.1)
    asked, over = threading.Event(), threading.Event()

    def silent(*given: object, **named: object) -> None:
        asked.set()
        over.wait()
        raise OSError("over")

    monkeypatch.setattr(socket, "create_connection", silent)
    with pytest.raises(UnreachableError, match=rf"127.0.0.1:{port} cannot be reached \(no answer\)"):
        reach("gs://shop/a")
    assert asked.is_set()
    over.set()


def test_one_that_comes_up_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{late.getsockname()[1]}")
        monkeypatch.setattr(time, "sleep", lambda seconds: late.listen())  # it comes up while the first pause is made
        reach("gs://shop/a")
        late.close()
        reach("gs://shop/b")  # what was reached once is its client's business


def test_what_is_no_cloud_storage_or_is_configured_is_left_alone(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reach("shop/a")
    reach("memory://shop/a")
    monkeypatch.setitem(fsspec.config.conf, "gs", {"session_kwargs": {"trust_env": True}})
    reach("gs://shop/a")


def test_where_a_path_is_needs_no_network(port: int) -> None:
    assert not is_local("gs://shop/a")
    assert is_local("shop/a")
