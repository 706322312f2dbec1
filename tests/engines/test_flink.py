"""The pipelines on Flink, where there is Beam's job server for it: ``make test-flink``."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engines import FLINK_JAR, flink_flags
from tests.engines.test_identical import EXAMPLES, check

pytestmark = pytest.mark.skipif(
    FLINK_JAR not in os.environ, reason=f"untried: Flink; {FLINK_JAR} names no jar of Beam's job server"
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_flink(made: Any, name: str, tmp_path: Path) -> None:
    check(made, name, tmp_path, flink_flags())
