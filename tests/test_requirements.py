"""The locks: hashed, without a registry's address, in agreement with pyproject.toml and with one another."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = {name: wanted for name, wanted in PROJECT["project"]["optional-dependencies"].items() if name != "all"}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")


def _blocks(lock: str) -> list[str]:
    """Returns each requirement of a lock with its hashes, comments left out."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


def _pins(lock: str) -> dict[str, set[tuple[str, str]]]:
    """Returns package -> {(version, marker)}; a package may have a version per platform."""
    found: dict[str, set[tuple[str, str]]] = {}
    for block in _blocks(lock):
        match = _PIN.match(block)
        assert match is not None, f"{lock}.txt: {block.splitlines()[0]!r} is no pinned requirement"
        name, version, marker = match.groups()
        found.setdefault(canonicalize_name(name), set()).add((version, (marker or "").strip()))
    return found


@pytest.mark.parametrize("lock", [*EXTRAS, "all", "build", "bentoml", "checkov", "emulators", "serving-cuda", "tfdv"])
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    assert len(_pins(lock)) > 3
    without = [block.splitlines()[0] for block in _blocks(lock) if "--hash=sha256:" not in block]
    assert without == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*")), ids=lambda path: path.name)
def test_no_lock_records_where_to_fetch(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url\s\S+|--find-links\s\S+|--trusted-host", text) == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_holds_what_its_extra_and_the_project_want(extra: str) -> None:
    pins = _pins(extra)
    environment = {**default_environment(), "extra": extra}
    for text in [*PROJECT["project"]["dependencies"], *EXTRAS[extra]]:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate(environment):
            continue
        versions = {version for version, _ in pins.get(canonicalize_name(wanted.name), set())}
        assert versions, f"requirements/{extra}.txt lacks {text}; run make lock"
        assert all(version in wanted.specifier for version in versions), f"{extra}.txt: {text}: {versions}; make lock"


@pytest.mark.parametrize("lock", [*EXTRAS, "build"])
def test_a_package_has_one_version_in_all_locks(lock: str) -> None:
    everything = _pins("all")
    for name, pins in _pins(lock).items():
        if name in everything:
            assert {version for version, _ in pins} <= {version for version, _ in everything[name]}, name
        else:
            assert lock == "build", f"requirements/{lock}.txt has {name}, all.txt does not; run make lock"


@pytest.mark.parametrize(
    ("extra", "forbidden"),
    [
        ("pipelines", {"tensorflow", "torch", "uvicorn", "fastapi"}),
        ("behavior", {"torch", "apache-beam"}),
        ("attention", {"tensorflow", "apache-beam"}),
        ("creative", {"tensorflow", "apache-beam"}),
        ("serving", {"torch", "apache-beam"}),
        ("dev", {"tensorflow", "torch"}),
        ("docs", {"tensorflow", "torch", "apache-beam", "fastapi"}),
    ],
)
def test_a_job_installs_only_what_it_needs(extra: str, forbidden: set[str]) -> None:
    assert _pins(extra).keys() & forbidden == set()


def test_the_build_backend_is_the_one_that_is_hashed() -> None:
    backend = Requirement(PROJECT["build-system"]["requires"][0])
    assert {version for version, _ in _pins("build")[backend.name]} == {str(backend.specifier).removeprefix("==")}
    assert str(backend) in (ROOT / "requirements" / "build.in").read_text().splitlines()


def test_the_extra_all_names_every_extra() -> None:
    (everything,) = PROJECT["project"]["optional-dependencies"]["all"]
    assert Requirement(everything).extras == set(EXTRAS)
