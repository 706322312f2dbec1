"""Imports run one way, heavy packages stay where they belong, and no module grows into a house of its own."""

import ast
import graphlib
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Whom each package may import, besides itself. augury/ sees both chains; benchmarks too, and small models of the tests.
LAYERS: Mapping[str, set[str]] = {
    "features": set(),
    "example_generators": {"features"},
    "transforms": {"features", "example_generators"},
    "pipelines": {"features", "example_generators", "transforms"},
    "models": {"features"},
    "serving": {"features", "models"},
    "augury": {"features", "example_generators", "transforms", "pipelines", "models", "serving"},
    "dataflow_templates": {"features", "example_generators", "transforms", "pipelines"},
    "benchmarks": {"features", "example_generators", "transforms", "pipelines", "models", "serving", "augury", "tests"},
    "website": {"serving", "augury", "benchmarks"},
}
BEAM = {"apache_beam", "tfx_bsl", "tensorflow_transform", "tensorflow_data_validation"}
# All that features/ needs from outside: what serving must install to compute the same numbers.
FEATURES_NEED = {
    *("crawleruseragents", "fsspec", "mmh3", "numpy", "orjson", "pyarrow", "ua_parser", "ua_parser_rs", "yarl"),
    *("cv2", "zstandard"),
    *("httpx", "httpcore"),  # to fetch what a URL names
    "scipy",  # to read MATLAB's files, which only pipelines do
}
# What makes a process start slowly; `augury --help` must not wait for it.
SLOW = BEAM | {"tensorflow", "torch", "xgboost", "sklearn", "scipy", "matplotlib", "optuna", "pandas", "gcsfs", "cv2"}
MOST_LINES = 400


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module(path): path for package in LAYERS for path in sorted((ROOT / package).rglob("*.py"))}


def _imports(module: str, inside_functions: bool) -> Iterator[str]:
    """Yields what a module imports, absolute and dotted: ``from a import b`` gives ``a.b`` where that is a module."""
    path = SOURCES[module]
    todo: list[ast.AST] = [ast.parse(path.read_text(), str(path))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                package = package[: len(package) - node.level + 1]
                origin = ".".join([*package, *filter(None, [node.module])])
            for alias in node.names:
                yield f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in SOURCES else origin
        elif inside_functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo.extend(ast.iter_child_nodes(node))


ALL = {module: set(_imports(module, True)) for module in SOURCES}
AT_IMPORT = {module: set(_imports(module, False)) for module in SOURCES}


def _top(name: str) -> str:
    return name.split(".")[0]


def _reached(module: str) -> set[str]:
    """Returns the outside packages that importing ``module`` imports, through modules of this project."""
    seen, todo, outside = {module}, [module], set()
    while todo:
        for name in AT_IMPORT[todo.pop()]:
            if _top(name) not in LAYERS:
                outside.add(_top(name))
            elif name in SOURCES and name not in seen:
                seen.add(name)
                todo.append(name)
    return outside


def _may_import(module: str, name: str) -> bool:
    ours, theirs = _top(module), _top(name)
    if ours == "pipelines" and theirs == "models":
        return len(name.split(".")) == 3 and name.endswith((".predictor", ".recognizer", ".scoring"))  # batch scoring
    return theirs == ours or theirs in LAYERS[ours]


def test_there_is_something_to_check() -> None:
    assert {"features.storage", "transforms.shards", "models.registry"} <= SOURCES.keys()
    assert "features.errors" in ALL["features.storage"]


def test_imports_run_one_way() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in SOURCES
        for name in sorted(ALL[module])
        if _top(name) in {*LAYERS, "tests"} and not _may_import(module, name)
    ]
    assert wrong == []


def test_features_needs_no_more_than_serving_installs() -> None:
    known = FEATURES_NEED | set(sys.stdlib_module_names) | {"features"}
    wrong = [f"{m} imports {n}" for m in SOURCES if _top(m) == "features" for n in ALL[m] if _top(n) not in known]
    assert wrong == []


def test_example_generators_need_features_and_its_packages_alone() -> None:
    known = {"features", "example_generators"} | FEATURES_NEED | set(sys.stdlib_module_names)
    wrong = [
        f"{m} imports {n}" for m in SOURCES if _top(m) == "example_generators" for n in ALL[m] if _top(n) not in known
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("features", BEAM | {"tensorflow", "torch"}),
        ("example_generators", BEAM | {"tensorflow", "torch"}),
        ("serving", BEAM),
        ("models", BEAM),
    ],
)
def test_heavy_packages_are_not_reached(package: str, forbidden: set[str]) -> None:
    reached = {module: sorted(_reached(module) & forbidden) for module in SOURCES if _top(module) == package}
    assert {module: names for module, names in reached.items() if names} == {}


def test_tensorflow_and_torch_never_meet() -> None:
    both = {"tensorflow", "torch"}
    in_one_file = [module for module in SOURCES if both <= {_top(name) for name in ALL[module]}]
    in_one_process = [module for module in SOURCES if both <= _reached(module)]
    assert (in_one_file, in_one_process) == ([], [])


def test_the_command_starts_without_what_is_slow() -> None:
    assert _reached("augury.cli") & SLOW == set()


def test_there_are_no_import_cycles() -> None:
    graph = {module: {name for name in ALL[module] if name in SOURCES} - {module} for module in SOURCES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as e:
        pytest.fail(f"import cycle: {' -> '.join(reversed(e.args[1]))}")


def test_no_module_is_two() -> None:
    paths = [*SOURCES.values(), *(ROOT / "tests").rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_the_wheel_holds_every_package() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = set(build["targets"]["wheel"]["packages"])
    assert packages == {_top(module) for module in SOURCES} - {"benchmarks", "dataflow_templates", "website"}


def test_tests_mirror_the_sources_without_packages_of_their_own() -> None:
    assert sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("__init__.py")) == []
