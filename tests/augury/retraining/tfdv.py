"""Whether TensorFlow Data Validation is there: `make data-checks` installs it."""

import pytest

from augury.retraining.app import CheckRules
from augury.retraining.errors import RunError
from augury.retraining.validation import tfdv_python


def _lack() -> str:
    try:
        tfdv_python(CheckRules())
    except RunError as error:
        return str(error)
    return ""


needs_tfdv = pytest.mark.skipif(bool(_lack()), reason=_lack() or "it is there")
