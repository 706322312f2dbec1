"""The pages' files are in the wheel, byte for byte."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "serving" / "console"


def test_templates_and_static_files_are_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    wanted = [path for kind in ("templates", "static") for path in sorted((FOLDER / kind).iterdir())]
    assert len(wanted) > 20
    with zipfile.ZipFile(wheel) as opened:
        for path in wanted:
            assert opened.read(str(path.relative_to(ROOT))) == path.read_bytes()
