"""RunInference without torch."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_importing_it_imports_no_torch_and_leaves_torch_to_be_imported_later() -> None:
    code = (
        "import sys, pipelines.creative_embeddings; found = 'torch' in sys.modules; "
        "from importlib.util import find_spec; print(found, find_spec('torch') is not None)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(find_spec("torch") is not None)]
