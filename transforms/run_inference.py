"""Beam's RunInference, imported without torch.

Beam looks for torch when RunInference is imported, to manage the memory of GPUs. Where it is installed that takes a
second, and it must never meet TensorFlow in one process; Beam does without.
"""

import resource
import sys

_KNOWN = "torch" in sys.modules
if not _KNOWN:
    sys.modules["torch"] = None  # type: ignore[assignment]  # so that importing it is an ImportError
try:
    from apache_beam.ml.inference import base
finally:
    if not _KNOWN:
        del sys.modules["torch"]
base.resource = resource  # lost together with torch, and then missed in a warning each time a model is loaded

ModelHandler, RunInference = base.ModelHandler, base.RunInference

__all__ = ["ModelHandler", "RunInference"]
