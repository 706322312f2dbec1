"""What a version says of the retraining that made it, and what a registry knows by it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from augury.retraining.checks import Before, Rate
from augury.retraining.validation import STATISTICS
from augury.retraining.window import DataWindow
from models.manifest import Manifest
from models.registry import Registry, RegistryError
from models.rescoring import PROVENANCE


@dataclass(frozen=True)
class Identity:
    """What decides a version: the same of all of these is the same version.

    Attributes:
        family: of the model.
        name: of the model.
        window: that it learns from.
        code: ``augury.retraining.code.code_version``.
        options: what the description says that decides it: data, examples, train.
    """

    family: str
    name: str
    window: DataWindow
    code: str
    options: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "family": self.family,
            "name": self.name,
            "window": {"first": str(self.window.first), "end": str(self.window.end)},
            "code": self.code,
            "options": json.loads(json.dumps(self.options, sort_keys=True)),
        }

    @property
    def key(self) -> str:
        """SHA-256, in hex, of all of it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Known:
    """A version that a retraining made.

    Attributes:
        manifest: of the version.
        told: its ``retraining.json``.
    """

    manifest: Manifest
    told: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Its name."""
        return self.manifest.version

    @property
    def end(self) -> date:
        """The first day after its window."""
        return date.fromisoformat(self.told["window"]["end"])

    def before(self) -> Before:
        """Returns what the next run's data are compared with."""
        rates = {name: Rate(*map(int, rate)) for name, rate in self.told["checks"]["rates"].items()}
        return Before(self.version, int(self.told["checks"]["examples"]), rates)


def known_versions(registry: Registry, family: str, name: str) -> Iterator[Known]:
    """Yields the versions that retrainings made, the newest first.

    Raises:
        RegistryError: one says something that no retraining wrote.
        StorageError: the registry cannot be read.
    """
    for version in reversed(registry.versions(family, name)):
        manifest = registry.manifest(family, name, version)
        if PROVENANCE not in manifest.files:
            continue
        try:
            told = json.loads(registry.read_file(manifest, PROVENANCE))
            known = Known(manifest, told)
            _ = known.end, known.before(), told["key"], told["options"], told["fingerprint"]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise RegistryError(
                f"{PROVENANCE} of {family}/{name} {version} is not what a retraining wrote ({e!r}); remove the version"
            ) from e
        yield known


def known_of(registry: Registry, identity: Identity) -> Known | None:
    """Returns what a retraining of the same identity made; None where there is none."""
    made = known_versions(registry, identity.family, identity.name)
    return next((known for known in made if known.told["key"] == identity.key), None)


def version_of(registry: Registry, identity: Identity) -> str | None:
    """Returns the version of ``known_of``."""
    known = known_of(registry, identity)
    return None if known is None else known.version


def last_run(registry: Registry, identity: Identity) -> Known | None:
    """Returns the version of the newest earlier window: what it was learnt from was fit to learn from.

    Of several of one window the last published counts.
    """
    earlier = [
        known
        for known in known_versions(registry, identity.family, identity.name)
        if known.told["key"] != identity.key and known.end <= identity.window.end
    ]
    return max(earlier, key=lambda known: (known.end, known.version), default=None)


def statistics_of(registry: Registry, known: Known) -> bytes:
    """Returns the statistics that a version archives."""
    return registry.read_file(known.manifest, STATISTICS)
