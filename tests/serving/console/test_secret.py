"""The secret that sessions are signed with."""

import os
from pathlib import Path

import pytest

from serving.console.secret import ConsoleKeyError, signing_key
from serving.settings import Settings, SettingsError, load_settings


def settings(folder: Path, **given: object) -> Settings:
    return Settings(**{"state_dir": folder, "write_keys": ("w",), "admin_keys": ("a",), **given}, _env_file=None)


def test_it_is_kept_for_all_workers_and_for_their_owner_alone(tmp_path: Path) -> None:
    first = signing_key(settings(tmp_path / "state"))
    assert first == signing_key(settings(tmp_path / "state"))
    assert first != signing_key(settings(tmp_path / "other"))
    assert os.listdir(tmp_path / "state") == ["console.key"]
    assert (tmp_path / "state" / "console.key").stat().st_mode & 0o777 == 0o600


def test_it_changes_with_the_keys(tmp_path: Path) -> None:
    made = {
        signing_key(settings(tmp_path)),
        signing_key(settings(tmp_path, admin_keys=())),
        signing_key(settings(tmp_path, admin_keys=("a", "b"))),
        signing_key(settings(tmp_path, write_keys=("a",), admin_keys=("w",))),
    }
    assert len(made) == 4
    assert signing_key(settings(tmp_path, admin_keys=("b", "a"))) in made  # their order says nothing


def test_one_may_be_given(tmp_path: Path) -> None:
    given = settings(tmp_path, console_key="0123456789abcdef")
    assert signing_key(given) == signing_key(settings(tmp_path / "other", console_key="0123456789abcdef"))
    assert not (tmp_path / "console.key").exists()
    with pytest.raises(SettingsError, match="console_key is shorter than 16 bytes; set it to a long random text"):
        load_settings({}, console_key="short")


def test_what_cannot_be_kept_or_read(tmp_path: Path) -> None:
    (tmp_path / "console.key").write_bytes(b"short")
    with pytest.raises(ConsoleKeyError, match="holds 5 bytes, expected 32; remove it"):
        signing_key(settings(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(ConsoleKeyError, match="cannot be kept in .*; set AUGURY_CONSOLE_KEY, or AUGURY_CONSOLE=false"):
        signing_key(settings(tmp_path / "file"))
