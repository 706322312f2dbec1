"""What the guides say can be done: every command, link and entry point exists; nothing names one machine."""

import importlib
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

_BLOCK = re.compile(r"^```(?:console|sh|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`((?:augury|make) [^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_MARKED_BLOCK = re.compile(r"((?:^<!--.*?-->\n\n?)*)^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What stands for marks in README.md: the beginning of a block -> its mark.
_README = {
    "make demo": "like: tests/website/test_start.py, tests/augury/test_demo.py",
    "make test": "not run: it is what runs the tests",
    "augury demo --events": "like: tests/augury/test_demo.py",
    "augury batch-predict": "like: tests/pipelines/test_batch_guide.py",
    "export AUGURY_WRITE_KEYS=my-key": "like: tests/running_service.py",
    "curl -u my-key: http://127.0.0.1:8000/v1/track": "run by: tests/integration/test_readme.py",
    "curl -u my-key: --data-binary @page.png": "like: tests/serving/attention/test_heatmaps_guide.py",
    "augury attention-examples": "run by: tests/readme_commands.py",
    "augury creative-examples": "run by: tests/readme_commands.py",
}
# Folders of one machine, not preceded by what makes them part of a URL or of a longer path.
_MACHINE = re.compile(r"(?<![\w.~/>}\])*-])/(?:work|farm|root|home|Users|tmp)/[\w.-]+")
_REGISTRIES = re.compile(
    "|".join([r"pypi\." + "org", "pythonhosted" + r"\.org", r"registry\.npmjs\." + "org", "proxy.gol" + "ang"])
)
# Only a word in capitals (PATH, NAME) stands for something else.
_PLACEHOLDER = re.compile(r"[A-Z_]+|\.\.\.")


def _tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("the list of the project's files comes from git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def _guides() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def _commands(text: str) -> Iterator[list[str]]:
    """Yields the words of every command of ours that a guide shows, in blocks and in running text."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|\||[|;]", line.strip().removeprefix("$ ")):
                if re.match(r"(?:\.venv/bin/)?(?:augury|make)(?:\s|$)", command.strip()):
                    yield shlex.split(command.strip(), comments=True)
    for span in _SPAN.findall(text):
        yield shlex.split(span)


def _check_make(words: list[str]) -> str | None:
    targets = re.findall(r"^([a-z%-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words:
        benchmark = word.removeprefix("bench-")
        if "=" in word or word in targets or _PLACEHOLDER.fullmatch(benchmark):
            continue
        if benchmark == word or not (ROOT / "benchmarks" / f"{benchmark.replace('-', '_')}.py").is_file():
            return f"no target {word}"
    return None


def _check_augury(words: list[str]) -> str | None:
    command = get_command(importlib.import_module("augury.cli").app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name, *words = words
        if _PLACEHOLDER.fullmatch(name):
            return None
        if name not in command.commands:
            return f"no command {name!r} among {', '.join(command.commands)}"
        command = command.commands[name]
        if hasattr(command, "load"):
            command = command.load()
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for before, word in pairwise(["", *words]):
        option = word.split("=")[0]
        if before == "--beam":  # flags for Beam, which refuses what it does not know
            continue
        if option.startswith("-") and not option[1:].isdigit() and option not in options | {"--help"}:
            return f"{command.name} has no option {option}"
    return None


@pytest.mark.parametrize("guide", _guides(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_guide_exists(guide: Path) -> None:
    wrong = []
    for program, *words in _commands(guide.read_text()):
        problem = (_check_make if program == "make" else _check_augury)(words)
        if problem:
            wrong.append(f"{program} {' '.join(words)}: {problem}")
    assert wrong == []


def test_commands_are_found_where_guides_show_them() -> None:
    text = "Run `make test`.\n```console\n$ augury demo \\\n  --events PATH  # yours\nls && make demo\n```\n"
    assert list(_commands(text)) == [["augury", "demo", "--events", "PATH"], ["make", "demo"], ["make", "test"]]
    assert _check_make(["demolish"]) == "no target demolish"
    assert _check_make(["bench-NAME", "UPGRADE=1", "test"]) is None


def _unaccounted(guide: Path, text: str) -> Iterator[str]:
    """Yields what is wrong with the blocks of a guide that show commands: each has a test, or a reason to have none.

    Before a block, or once in the guide for all of its blocks, stands a comment:

    ``<!-- commands: TESTS -->``: for the whole guide; ``<!-- run by: TESTS -->``: for the next block. These tests read
    the guide and run what it shows. ``<!-- like: TESTS -->``: these tests, or other guides that are run, do the same
    with other values. ``<!-- not run: REASON -->``: nobody runs it, for that reason.
    """
    whole = re.search(r"^<!-- commands: (.*?) -->$", text, re.MULTILINE)
    for marks, language, body in _MARKED_BLOCK.findall(text):
        first = body.partition("\n")[0]
        if language not in ("console", "sh", "bash"):
            if language != "output" and re.match(r"\$ |(?:augury|make) ", body):
                yield f"{first}: commands stand in a block of the language console"
            continue
        found = dict(re.findall(r"<!-- (run by|like|not run): (.*?) -->", marks))
        if guide == ROOT / "README.md":
            said = [mark for start, mark in _README.items() if first.removeprefix("$ ").startswith(start)]
            found |= dict(mark.split(": ", 1) for mark in said)
        if whole and not found:
            found = {"run by": whole[1]}
        if len(found) != 1:
            yield f"{first}: expected one mark before the block, that says which test runs it or why none does"
        for kind, said in found.items():
            if kind == "not run":
                if len(said.split()) < 4:
                    yield f"{first}: {said!r} is no reason"
                continue
            yield from _unlike(guide, kind, said.split(", "), body, first)


def _unlike(guide: Path, kind: str, names: list[str], body: str, first: str) -> Iterator[str]:
    """Yields what is wrong with tests that are said to run a block."""
    if missing := [name for name in names if not (ROOT / name).is_file()]:
        yield f"{first}: there is no {', '.join(missing)}"
        return
    tests = "".join((ROOT / name).read_text() for name in names)
    if kind == "run by" and not re.search(rf"{re.escape(guide.name)}|[\"']{guide.stem}[\"']", tests):
        yield f"{first}: {', '.join(names)} does not read {guide.name}"
    if undone := [
        name for name in names if name.endswith(".md") and "<!-- commands: " not in (ROOT / name).read_text()
    ]:
        yield f"{first}: no test runs {', '.join(undone)}"
    if kind == "like":
        wanted = {words[1] for words in _commands(f"```console\n{body}```\n") if words[0].endswith("augury")}
        if absent := [
            name for name in sorted(wanted) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", tests)
        ]:
            yield f"{first}: {', '.join(names)} runs no {', '.join(absent)}"


@pytest.mark.parametrize("guide", _guides(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_commands_has_a_test_or_a_reason(guide: Path) -> None:
    assert list(_unaccounted(guide, guide.read_text())) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```console\n$ augury demo\n```\n", "expected one mark"),
        ("<!-- not run: no -->\n\n```console\n$ augury demo\n```\n", "'no' is no reason"),
        ("<!-- run by: tests/test_gone.py -->\n```console\n$ augury demo\n```\n", "there is no tests/test_gone.py"),
        ("<!-- run by: tests/test_notebook.py -->\n```console\n$ ls\n```\n", "does not read guide.md"),
        ("<!-- like: tests/test_notebook.py -->\n```console\n$ augury tune\n```\n", "runs no tune"),
        ("```text\n$ augury demo\n```\n", "a block of the language console"),
    ],
)
def test_what_escapes_is_told(text: str, wrong: str) -> None:
    [said] = _unaccounted(ROOT / "docs" / "guide.md", text)
    assert wrong in said


def test_what_has_a_test_or_a_reason_is_let_be() -> None:
    text = (
        "<!-- commands: tests/deploy/test_guides.py -->\n\n```console\n$ augury serve\n```\n\n"
        "<!-- not run: it needs an account -->\n\n```console\n$ gcloud x\n```\n\n"
        "<!-- like: tests/augury/test_demo.py -->\n```sh\naugury demo --events PATH\n```\n\n```output\n$ 1\n```\n"
    )
    assert list(_unaccounted(ROOT / "docs" / "from-ga4.md", text)) == []


@pytest.mark.parametrize("guide", _guides(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(guide: Path) -> None:
    links = [link for link in _LINK.findall(guide.read_text()) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_security_names_code_that_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    rows = [row.split(" | ") for row in text.partition("## The threats")[2].splitlines() if row.startswith("| **")]
    assert len(rows) > 10
    for threat, _, where in rows:
        named = re.findall(r"`([^`]+)`", where)
        assert named and [name for name in named if not (ROOT / name).is_file()] == [], threat


def test_every_entry_point_can_be_loaded() -> None:
    groups = {"scripts": PROJECT["scripts"], **PROJECT.get("entry-points", {})}
    assert groups["scripts"] == {"augury": "augury.cli:main"}
    for points in groups.values():
        for target in points.values():
            module, name = target.split(":")
            assert callable(getattr(importlib.import_module(module), name)), target


def test_make_help_lists_every_target() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^make (\S+) +\S", printed, re.MULTILINE)
    phony = re.findall(r"^([a-z%-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(target.replace("%", "NAME") for target in phony)


def test_ci_runs_what_the_readme_says() -> None:
    assert ["make", "test"] in list(_commands((ROOT / "README.md").read_text()))
    script = ROOT / ".ci" / "run"
    assert "exec make test </dev/null" in script.read_text().splitlines()
    assert script.stat().st_mode & 0o111


def test_no_file_names_a_machine_or_a_registry() -> None:
    wrong = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # Parquet and the like
        for number, line in enumerate(text.splitlines(), 1):
            if found := _MACHINE.search(line) or _REGISTRIES.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {found[0]}")
    assert wrong == []
