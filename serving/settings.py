"""What the service is told by its environment: every setting, its limits and its meaning.

Names are the fields' in capitals after ``AUGURY_``; only ``REDIS_URL`` stands without it. Lists have commas.
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from features.checks import EVENT_TYPES
from features.errors import AuguryError
from features.events import MAX_EVENT_BYTES

PREFIX = "AUGURY_"

MAX_KEY_BYTES = 512
"""Longest key that is compared."""

FAMILIES = ("behavior", "attention", "creative")
"""Families of models that the service answers with."""

_NOT_OURS = {"AUGURY_DATA"}  # the folder of the tests' real data sets


class SettingsError(AuguryError, ValueError):
    """A setting that does not exist, cannot be, or contradicts another."""


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value)
    return values


def _types(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in EVENT_TYPES:
            raise ValueError(f"{value!r} is no event type; expected some of {', '.join(EVENT_TYPES)}")
    return values


def _models(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        family, slash, name = value.rpartition("/")
        if not name or (slash and family not in FAMILIES):
            raise ValueError(f"{value!r} is no model; expected NAME, or FAMILY/NAME of {', '.join(FAMILIES)}")
    return values


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    if values:
        from features.fetching_policy import FetchPolicy

        FetchPolicy(values)  # refuses what is no host
    return values


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Ports = Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(_listed)]
Keys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """The service's settings; frozen, and an unknown name is refused.

    Raises:
        pydantic.ValidationError: a value that cannot be; ``load_settings`` makes one line of it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="processes that answer requests")
    write_keys: Keys = Field((), description="keys that events are sent with")
    admin_keys: Keys = Field((), description="keys that visitors are deleted and models reloaded with")
    state_dir: Path = Field(Path("augury-state"), description="folder of the spool and of the embedded store")
    archive: str = Field(
        default_factory=lambda data: str(data.get("state_dir", Path("augury-state")) / "archive"),
        description="folder of the archive, local or gs://",
    )
    pubsub_topic: str | None = Field(None, description="Pub/Sub topic that takes the archive's place")
    redis_url: str | None = Field(
        None, validation_alias="REDIS_URL", description="the fast store; none: an embedded one"
    )
    registry: str | None = Field(None, description="model registry, local or gs://; none: no predictions")
    models: Annotated[Texts, AfterValidator(_models)] = Field(
        (), description="models to answer with, as NAME (of behavior) or FAMILY/NAME; none: all that have a champion"
    )
    model_poll_seconds: float = Field(2.0, gt=0, description="how often a new champion is looked for")
    store_events: int = Field(200, ge=1, le=5_000, description="most recent events kept of a visitor")
    store_days: float = Field(30.0, gt=0, description="days after which an event leaves the fast store")
    store_types: Annotated[Texts, AfterValidator(_types)] = Field(EVENT_TYPES, description="event types kept there")
    dedup_seconds: int = Field(
        3600, ge=0, description="how long a message id is remembered at collection, that of a recent event aside"
    )
    archive_dedup_hours: int = Field(24, ge=0, description="window in which the archive drops copies")
    spool_rotate_seconds: float = Field(3600.0, gt=0, description="how long a spool file is written to")
    spool_fsync: bool = Field(True, description="flush to the disk before an event is acknowledged")
    compact_seconds: float = Field(60.0, gt=0, description="how often closed spool files become Parquet")
    ip: Literal["truncate", "drop", "keep"] = Field("truncate", description="what is done to IP addresses")
    drop_fields: Texts = Field((), description="dotted paths of fields that are not kept: traits.email")
    hash_fields: Texts = Field((), description="dotted paths of fields that are kept as a keyed hash")
    hash_key: SecretStr = Field(SecretStr(""), description="key of that hash; at most 64 bytes")
    honour_dnt: bool = Field(True, description="drop events sent with DNT: 1 or Sec-GPC: 1")
    consent_categories: Texts = Field((), description="categories of context.consent that must not be refused")
    cleaning: Path | None = Field(None, description="TOML file of cleaning rules, as the pipelines read it")
    max_event_bytes: int = Field(MAX_EVENT_BYTES, ge=1024, le=MAX_EVENT_BYTES, description="limit on one event")
    max_batch_bytes: int = Field(512_000, ge=1024, le=16_000_000, description="limit on a body, after gunzip")
    max_batch_events: int = Field(2_500, ge=1, le=100_000, description="limit on the events of one body")
    queue_events: int = Field(20_000, ge=1, description="events a worker lets wait before it answers 429")
    prediction_log_share: float = Field(
        1.0, ge=0, le=1, description="share of predictions, heatmaps and recommendations that are logged"
    )
    prediction_log_days: int = Field(
        90, ge=1, description="days that logged predictions, heatmaps and recommendations are kept"
    )
    explain_queue: int = Field(
        4, ge=0, le=1_000, description="further predictions that a worker lets wait to be explained, one at a time"
    )
    explain_seconds: float = Field(5.0, gt=0, le=600, description="time limit of an explanation, waiting included")
    heatmap_threads: int = Field(2, ge=1, le=64, description="heatmaps that a worker makes at once")
    heatmap_model_threads: int = Field(2, ge=1, le=64, description="threads that the model may use for one heatmap")
    heatmap_device: Literal["cpu", "cuda"] = Field("cpu", description="what models of attention run on")
    heatmap_queue: int = Field(16, ge=0, le=1_000, description="further requests for heatmaps that a worker lets wait")
    heatmap_seconds: float = Field(20.0, gt=0, le=600, description="time limit of a heatmap, waiting included")
    heatmap_max_bytes: int = Field(
        16 << 20, ge=1024, le=256 << 20, description="limit on the image files of one request, in bytes"
    )
    heatmap_max_pixels: int = Field(
        20_000_000, ge=1024, le=200_000_000, description="limit on an image's width times height"
    )
    heatmap_url_hosts: Annotated[Texts, AfterValidator(_hosts)] = Field(
        (), description="hosts that images are fetched from, www.example.org or *.example.org; none: no fetching"
    )
    heatmap_url_ports: Ports = Field((443, 80), description="ports of those hosts that may be connected to")
    heatmap_url_private: bool = Field(False, description="fetch from private and loopback addresses, too")
    heatmap_images_mb: int = Field(
        0, ge=0, le=1_000_000, description="megabytes of images that are kept beside the log of heatmaps; 0: none"
    )
    heatmap_images_days: int = Field(30, ge=1, description="days that an image is kept")
    recommend_threads: int = Field(2, ge=1, le=64, description="recommendations that a worker makes at once")
    recommend_model_threads: int = Field(
        2, ge=1, le=64, description="threads that the recogniser may use for one recommendation"
    )
    recommend_queue: int = Field(
        16, ge=0, le=1_000, description="further requests for recommendations that a worker lets wait"
    )
    recommend_seconds: float = Field(20.0, gt=0, le=600, description="time limit of a recommendation, waiting included")
    recommend_rules: Path | None = Field(None, description="TOML or JSON file of the variants that brands forbid")
    recommend_max_distance: float | None = Field(
        None, gt=0, le=2, description="how far a variant may be from its photo, instead of the model's own limits"
    )
    console: bool = Field(True, description="serve the console, a website for people with a key, at /")
    console_hours: float = Field(12.0, gt=0, le=720, description="hours after which a sign-in to the console ends")
    console_key: SecretStr = Field(
        SecretStr(""), description="secret that signs its sessions; none: one is made and kept in the state folder"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    access_log: bool = Field(False, description="log a line for every request")
    cors_origins: Texts = Field(("*",), description="origins whose pages may send events")
    trusted_proxies: Annotated[Texts, AfterValidator(_networks)] = Field(
        (), description="networks whose X-Forwarded-For is believed"
    )
    public_predictions: bool = Field(True, description="a write key may ask for predictions; else admin keys only")
    shutdown_seconds: float = Field(30.0, gt=0, description="how long a shutdown waits for requests under way")

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        secret = self.hash_key.get_secret_value()
        if self.hash_fields and not secret:
            raise ValueError("hash_fields needs hash_key; set it to a secret of up to 64 bytes")
        if len(secret.encode()) > 64:
            raise ValueError("hash_key is longer than 64 bytes, the most that BLAKE2b takes; shorten it")
        if 0 < len(self.console_key.get_secret_value().encode()) < 16:
            raise ValueError("console_key is shorter than 16 bytes; set it to a long random text, or not at all")
        for name in ("write_keys", "admin_keys"):
            for key in (held.get_secret_value() for held in getattr(self, name)):
                if not 0 < len(key.encode()) <= MAX_KEY_BYTES or ":" in key:
                    raise ValueError(
                        f"{name} holds a key that cannot be sent; each has 1 to {MAX_KEY_BYTES} bytes and no colon"
                    )
        return self

    def names_of(self, family: str) -> tuple[str, ...] | None:
        """Returns the names of the models of a family to answer with, empty for all of it; None if it is not served."""
        if not self.models:
            return ()
        named = [value.rpartition("/") for value in self.models]
        return tuple(name for given, _, name in named if (given or FAMILIES[0]) == family) or None

    @property
    def spool(self) -> Path:
        """Where received messages wait to be compacted."""
        return self.state_dir / "spool"


def load_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Returns the settings that the environment and the command line hold.

    Args:
        environment: where to look for mistyped names; by default ``os.environ``, which is where values come from.
        given: values that win over the environment's.

    Raises:
        SettingsError: an unknown name or an impossible value, in one line that shows no key.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields if name != "redis_url"} | _NOT_OURS
    for name in environment if environment is not None else os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            raise SettingsError(f"{name} is no setting; expected one of {', '.join(sorted(known - _NOT_OURS))}")
    try:
        return Settings(**given)
    except ValidationError as e:
        raise SettingsError(_one_line(e)) from None


def _one_line(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    message = found["msg"].removeprefix("Value error, ")
    if not found["loc"]:
        return message
    name = str(found["loc"][0])
    name = name if name == "REDIS_URL" else f"{PREFIX}{name.upper()}"
    given = os.environ.get(name)
    shown = f" is {given!r}" if given is not None and "KEY" not in name else ""
    return f"{name}{shown}: {message}"
