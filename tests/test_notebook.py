"""The notebook, executed from its first cell to its last with a small model, and used as somebody would."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.served_creative import PHOTO, SPEC, creative_artifact

__all__ = ["creative_artifact"]  # a fixture

NOTEBOOK = Path(__file__).parents[1] / "examples" / "creative_recommendation.ipynb"

USE = f"""
from datetime import UTC, datetime
photo.value = ({{"name": "p.png", "type": "image/png", "size": 1, "content": memoryview({PHOTO!r}),
                "last_modified": datetime.now(UTC)}},)
target.value, campaign_type.value, shoe_type.value = "unsubscribed", "newsletter", "shoe"
recommend.click()
print(found.target, found.less_is_better, found.image.shape, len(found.variants), found.known)
print(output.outputs[-1]["data"]["text/html"].count("<figure"))
"""


def test_no_output_is_committed() -> None:
    cells = nbformat.read(NOTEBOOK, 4).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::DeprecationWarning:zmq")
def test_it_runs_and_answers(creative_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREATIVE_ARTIFACT", str(creative_artifact))
    notebook = nbformat.read(NOTEBOOK, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(USE))
    NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    text = "".join(output["text"] for output in notebook.cells[-1].outputs if output.output_type == "stream")
    known = {"campaign_type": True, "shoe_type": True}
    first, second = text.strip().splitlines()
    assert first == f"unsubscribed True (40, 30, 3) {len(SPEC.variants)} {known}"
    assert int(second) == 1 + len(SPEC.variants) + 8
