import re
from pathlib import Path

import pytest

from serving.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch):
    import os

    for name in list(os.environ):
        if name.startswith("AUGURY_") or name == "REDIS_URL":
            monkeypatch.delenv(name)


def test_nothing_set_gives_a_service_that_keeps_to_itself():
    settings = load_settings()
    assert (settings.host, settings.write_keys, settings.ip, settings.redis_url) == ("127.0.0.1", (), "truncate", None)
    assert (settings.archive, settings.spool) == ("augury-state/archive", Path("augury-state/spool"))


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch):
    given = {
        "AUGURY_WRITE_KEYS": "one, two",
        "AUGURY_STATE_DIR": "/var/augury",
        "AUGURY_DROP_FIELDS": "traits.email,context.traits",
        "AUGURY_HONOUR_DNT": "false",
        "AUGURY_STORE_TYPES": "track,page",
        "AUGURY_DATA": "the tests' data",
        "REDIS_URL": "redis://store:6379/1",
    }
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    settings = load_settings(port=0)
    assert [key.get_secret_value() for key in settings.write_keys] == ["one", "two"]
    assert (settings.archive, settings.port) == ("/var/augury/archive", 0)
    assert settings.drop_fields == ("traits.email", "context.traits")
    assert (settings.honour_dnt, settings.store_types) == (False, ("track", "page"))
    assert settings.redis_url == "redis://store:6379/1"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("AUGURY_PROT", "1", "AUGURY_PROT is no setting; expected one of AUGURY_ACCESS_LOG, AUGURY_ADMIN_KEYS, "),
        ("AUGURY_PORT", "70000", "AUGURY_PORT is '70000': Input should be less than or equal to 65535"),
        ("AUGURY_IP", "mask", "AUGURY_IP is 'mask': Input should be 'truncate', 'drop' or 'keep'"),
        (
            "AUGURY_STORE_TYPES",
            "track,click",
            "AUGURY_STORE_TYPES is 'track,click': 'click' is no event type; expected",
        ),
        (
            "AUGURY_TRUSTED_PROXIES",
            "10.0.0.1/8",
            "AUGURY_TRUSTED_PROXIES is '10.0.0.1/8': 10.0.0.1/8 has host bits set",
        ),
        ("AUGURY_MAX_EVENT_BYTES", "99999", "AUGURY_MAX_EVENT_BYTES is '99999': Input should be less than or equal"),
        ("AUGURY_HASH_KEY", "s" * 65, "hash_key is longer than 64 bytes, the most that BLAKE2b takes; shorten it"),
    ],
)
def test_what_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str):
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_keys_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch):
    settings = Settings(write_keys=("secret",), admin_keys=("secret",), hash_key="secret")
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump()}"
    monkeypatch.setenv("AUGURY_HASH_KEY", "secret" * 20)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "secret" not in str(caught.value).replace("set it to a secret", "")


@pytest.mark.parametrize("key", ["", "k" * 513, "user:name"])
def test_a_key_that_cannot_be_sent_is_refused(key: str):
    with pytest.raises(ValueError, match="admin_keys holds a key that cannot be sent; each has 1 to 512 bytes and no"):
        Settings(admin_keys=("good", key))


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_every_setting_is_described_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", guide, re.MULTILINE)
    names = {"REDIS_URL" if name == "redis_url" else f"AUGURY_{name.upper()}" for name in Settings.model_fields}
    assert {name for name, _, _ in told} == names
    for name, default, meaning in told:
        field = Settings.model_fields[name.removeprefix("AUGURY_").lower()]
        assert meaning == field.description
        if default and field.default_factory is None:
            shown = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
            assert default.strip("`") in (shown, shown.lower())
