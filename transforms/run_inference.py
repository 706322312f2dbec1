"""Beam's RunInference, imported without torch.

Beam looks for torch when RunInference is imported, to manage the memory of GPUs. Where it is installed that takes a
second, and it must never meet TensorFlow in one process; Beam does without.
"""

import sys

_KNOWN = "torch" in sys.modules
if not _KNOWN:
    sys.modules["torch"] = None  # type: ignore[assignment]  # so that importing it is an ImportError
try:
    from apache_beam.ml.inference.base import ModelHandler, RunInference
finally:
    if not _KNOWN:
        del sys.modules["torch"]

__all__ = ["ModelHandler", "RunInference"]
