"""Which code a run is of: what decides a version besides its data and its options."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("features", "example_generators", "transforms", "pipelines", "models")
_LIBRARIES = (
    *("numpy", "pyarrow", "mmh3", "tfx-bsl", "apache-beam", "opencv-python-headless", "scikit-learn", "scipy"),
    *("tensorflow", "torch", "torchvision", "onnx", "onnxruntime", "xgboost-cpu", "optuna"),
)


@cache
def code_version() -> str:
    """Returns the version of the project, and a digest of its sources and of the libraries that compute."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".json", ".jinja") and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    for library in _LIBRARIES:
        try:
            digest.update(f"{library}=={version(library)}\n".encode())
        except PackageNotFoundError:
            continue
    return f"{version('augury')}+{digest.hexdigest()[:12]}"
