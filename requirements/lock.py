"""Resolves pyproject.toml into one hashed lock per extra: ``make lock``.

``all.txt`` is resolved first and constrains the others, so that a package has one version everywhere and any two extras
can be installed together. No lock records a registry's address: the installer's own configuration says where to fetch.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_COMPILE = (
    *("pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "--quiet"),
)


def commands(upgrade: bool) -> list[list[str]]:
    """Returns uv's arguments, one list per lock, in the order in which they must run."""
    extras = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    newest = ["--upgrade"] if upgrade else []
    found = [[*_COMPILE, *newest, "pyproject.toml", "--all-extras", "-o", "requirements/all.txt"]]
    shared = ["-c", "requirements/all.txt"]
    for extra in extras:
        if extra == "all":
            continue
        # See overrides.txt: a worker's environment needs no TensorFlow.
        overrides = ["--override", "requirements/overrides.txt"] if extra == "pipelines" else []
        found.append(
            [*_COMPILE, "pyproject.toml", "--extra", extra, *shared, *overrides, "-o", f"requirements/{extra}.txt"]
        )
    cuda = ["pyproject.toml", "--extra", "serving", "requirements/serving-cuda.in", *shared]
    cuda += ["--override", "requirements/overrides-cuda.txt"]
    found.append([*_COMPILE, *newest, *cuda, "-o", "requirements/serving-cuda.txt"])
    found.append([*_COMPILE, *newest, "requirements/build.in", *shared, "-o", "requirements/build.txt"])
    newer = ["3.13" if part == "3.11" else part for part in _COMPILE]  # what the emulator needs
    found.append([*newer, *newest, "requirements/emulators.in", "-o", "requirements/emulators.txt"])
    found.append([*_COMPILE, *newest, "requirements/checkov.in", "-o", "requirements/checkov.txt"])
    linux = [*(part for part in _COMPILE if part != "--universal"), "--python-platform", "x86_64-manylinux_2_28"]
    apart = ["--only-binary", ":all:", "--override", "requirements/overrides-tfdv.txt"]  # see there
    found.append([*linux, *newest, *apart, "requirements/tfdv.in", "-o", "requirements/tfdv.txt"])
    peer = ["pyproject.toml", "--extra", "serving", "requirements/bentoml.in"]  # see there why all.txt is no constraint
    return [*found, [*_COMPILE, *newest, *peer, "-o", "requirements/bentoml.txt"]]


def main() -> None:
    """Writes every lock; stops at the first that cannot be resolved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    uv = Path(sys.executable).with_name("uv")
    for arguments in commands(parser.parse_args().upgrade):
        print("requirements:", arguments[-1])
        status = subprocess.run([uv, *arguments], cwd=_ROOT).returncode
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
