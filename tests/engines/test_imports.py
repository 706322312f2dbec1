"""Importing what workers import opens no file but sources, and no connection: a worker may be anywhere."""

import subprocess
import sys
from pathlib import Path

import orjson

from tests.engines.engines import ROOT

_CODE = """
import importlib, json, os, sys
root, seen = sys.argv[1], []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        seen.append(("open", os.path.abspath(os.fsdecode(arguments[0]))))
    elif event.startswith(("socket.connect", "subprocess.", "os.system", "os.exec")):
        seen.append((event, str(arguments[1:])))

sys.addaudithook(watch)
for module in sys.argv[2:]:
    importlib.import_module(module)
print(json.dumps(sorted({name.partition(".")[0] for name, module in sys.modules.items() if module is not None})))
for event, what in seen:
    if event != "open" or (what.startswith(root + os.sep) and not what.endswith(".py") and "__pycache__" not in what):
        print(event, what)
"""
HEAVY = {"torch", "tensorflow", "fastapi", "uvicorn", "starlette", "xgboost", "onnxruntime"}


def modules() -> list[str]:
    """Every module that a worker may import."""
    packages = ("features", "example_generators", "transforms", "pipelines")
    files = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    return [name for name in names if name != "pipelines.creative_embeddings"]  # it asks a network: onnxruntime


def test_no_file_is_opened_and_nothing_heavy_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CODE, str(ROOT), *modules()]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported, *opened = done.stdout.splitlines()
    own = [line for line in opened if not line.startswith((f"open {ROOT}/.venv/", f"open {ROOT}/.cache/"))]
    assert own == []
    assert set(orjson.loads(imported)) & HEAVY == set()


def test_a_module_that_reads_a_file_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text("open(__file__.replace('reads.py', 'table.json')).close()\n")
    (tmp_path / "table.json").touch()
    command = [sys.executable, "-c", _CODE, str(tmp_path), "reads"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert f"open {tmp_path}/table.json" in done.stdout
