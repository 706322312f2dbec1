"""The commands on real files: each parses, calls the library, and prints what came of it."""

import json
import sys
import types

import pytest
from typer.testing import CliRunner

from augury import cli
from serving import promotion


@pytest.fixture(scope="module")
def run():
    def invoke(*argv, code=0):
        done = CliRunner().invoke(cli.app, argv, env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout

    return invoke


@pytest.fixture(scope="module")
def shop(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "shop"
    said = run("simulate", str(folder), "--visitors", "300", "--seed", "1", "--format", "parquet")
    assert f"next: augury examples '{folder}/events/*.parquet' --adapter canonical --output examples" in said
    return str(folder)


def test_generators_lists_name_question_and_parameters(run):
    said = run("generators")
    assert "return_visit" in said
    assert "Will this visitor come back within N days?" in said
    assert "visit_gap_seconds=1800.0" in said


def test_generators_lists_what_loads_beside_what_does_not(run, tmp_path, monkeypatch):
    info = tmp_path / "broken_site-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-site\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[augury.example_generators]\nbroken = broken_site:Absent\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    said = " ".join(run("generators").replace("│", "").split())
    assert "broken" in said and "does not load" in said
    assert "return_visit" in said


def test_inspect_buckets_recommends_a_size(run, shop):
    said = run("inspect-buckets", f"{shop}/events", "--adapter", "canonical", "--fields", "event", "--target", "0.2")
    assert "distinct tokens" in said
    assert "recommended: --hash-size" in said
    said = run("inspect-buckets", f"{shop}/events", "--adapter", "canonical", "--size", "64")
    assert "no size keeps collisions within 10%; try larger ones with --size" in said


def test_check_generator_passes_an_honest_one_with_its_numbers(run, shop):
    params = ("-p", "horizon_events=5", "-p", "points=random")
    said = run("check-generator", "purchase_points", f"{shop}/events", "--adapter", "canonical", *params)
    assert said.startswith("purchase_points: ")
    assert "length alone: AUC 0." in said
    assert said.endswith("nothing leaks\n")


LEAKY = """
from dataclasses import dataclass
from example_generators.base import ExampleGenerator
from features.slices import Slice

@dataclass(frozen=True)
class Leaky(ExampleGenerator):
    "Did something go into the cart? Asked when all is seen."

    def slices(self, session):
        yield Slice(0, len(session), int(bool(session.where(event="Product Added"))))
"""


def test_check_generator_exits_with_1_on_a_leak(run, shop, tmp_path, monkeypatch):
    (tmp_path / "leaky_site.py").write_text(LEAKY)
    info = tmp_path / "leaky_site-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky-site\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[augury.example_generators]\nleaky = leaky_site:Leaky\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = CliRunner().invoke(cli.app, ["check-generator", "leaky", f"{shop}/events", "--adapter", "canonical"])
    assert done.exit_code == 1
    assert "sight: event 'Product Added' is visible in 100.0% of the instances of one label" in done.stdout
    assert "nothing leaks" not in done.stdout


def test_check_generator_names_what_it_does_not_know(run):
    said = run("check-generator", "nonesuch", code=1)
    assert said.startswith("error: no example generator is called 'nonesuch'; known: high_value, purchase, ")


def test_examples_prints_the_card_and_refuses_to_overwrite(run, shop, tmp_path):
    output = str(tmp_path / "examples")
    argv = ("examples", f"{shop}/events", "--adapter", "canonical", "--output", output)
    said = run(*argv, "--generator", "template", "-p", "after=2")
    card = json.loads((tmp_path / "examples" / "dataset_card.json").read_text())
    assert f"{card['events']['read']:,} rows read" in said
    assert "event dropped" in said
    assert f"{card['splits']['train']['examples']:,}" in said
    spec = json.loads((tmp_path / "examples" / "feature_spec.json").read_text())
    assert (spec["generator"], spec["generator_params"]) == ("template", {"after": 2})
    assert "holds files already; choose another output or pass --overwrite" in run(*argv, code=1)


def test_beam_flags_are_passed_on(run, shop, tmp_path):
    argv = ("examples", f"{shop}/events", "--adapter", "canonical", "--output", str(tmp_path / "x"))
    said = run(*argv, "--beam", "--no_such_flag=1", code=1)
    assert said.startswith("error: unknown option --no_such_flag=1; expected an option of this pipeline")


@pytest.fixture
def artifact(tmp_path):
    def make(auc):
        folder = tmp_path / f"model-{auc}"
        folder.mkdir()
        (folder / "model_card.json").write_text(json.dumps({"metrics": {"auc": auc, "ece": 0.01, "log_loss": 0.3}}))
        (folder / "dataset_card.json").write_text("{}")
        return str(folder)

    return make


@pytest.fixture
def golden(monkeypatch):
    """Stands in for a family's engine: a golden set of three instances, all the same."""
    engine = types.ModuleType("engine")
    engine.verify = lambda registry, name, version: types.SimpleNamespace(total=3, identical=3, differing=())
    monkeypatch.setitem(sys.modules, "engine", engine)
    monkeypatch.setitem(promotion._REPLAYS, "behavior", "engine")


def test_verifying_says_how_many_are_identical(run, artifact, golden, tmp_path):
    model, root = "behavior/purchase", ("--registry", str(tmp_path / "registry"))
    version = run("publish", artifact(0.8), model, *root).split()[2]
    assert "has no champion yet" in run("verify", model, *root, code=1)
    said = run("verify", model, "latest", *root)
    assert said == f"{model} {version}: 3 of 3 predictions are identical bit for bit\n"
    sys.modules["engine"].verify = lambda *_: types.SimpleNamespace(total=3, identical=1, differing=("v1/7/3",))
    done = CliRunner().invoke(cli.app, ("verify", model, "latest", *root), env={"COLUMNS": "200"})
    assert done.exit_code == 1
    said = done.stdout
    assert "1 of 3 predictions are identical" in said and "different: v1/7/3, ..." in said


def test_without_the_service_nothing_is_promoted_and_one_line_says_why(run, artifact, tmp_path, monkeypatch):
    model, root = "behavior/purchase", ("--registry", str(tmp_path / "registry"))
    run("publish", artifact(0.8), model, *root)
    for name in [name for name in sys.modules if name.startswith("serving.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = run("promote", model, *root, code=1)
    assert said == (
        "error: this command needs uvicorn, which is not installed; install it with: pip install 'augury[serving]'\n"
    )


def test_a_models_life_from_publication_to_rollback(run, artifact, golden, tmp_path):
    model, root = "behavior/purchase", ("--registry", str(tmp_path / "registry"))
    first = run("publish", artifact(0.8), model, *root).split()[2]
    assert "has no champion yet; promote a version" in run("compare", model, *root, code=1)
    said = run("promote", model, *root, "--reason", "the first")
    assert said.count("passed") == 4
    assert said.endswith(f"behavior/purchase has champion {first}\n")

    second = run("publish", artifact(0.9), model, *root).split()[2]
    said = run("compare", model, *root)
    assert "0.8000" in said
    assert "+0.1000" in said
    run("promote", model, second, *root)

    third = run("publish", artifact(0.7), model, *root).split()[2]
    refused = CliRunner().invoke(cli.app, ["promote", model, *root], env={"COLUMNS": "200"})
    assert refused.exit_code == 1
    assert "FAILED" in refused.stdout
    assert refused.stderr.startswith(f"error: {third} is not promoted: ")

    said = run("rollback", model, *root, "--reason", "conversion fell")
    assert said == f"behavior/purchase has champion {first} again, after {second}\n"
    said = run("history", model, *root)
    assert [line.split()[4] for line in said.splitlines() if line.startswith("│")] == [
        *("publish", "promote", "publish", "promote", "publish"),
        *("refuse", "rollback"),
    ]
    assert "conversion fell" in said
    assert said.endswith(f"champion: {first}\n")


def test_a_family_without_probabilities_has_gates_of_its_own(run, golden, tmp_path, monkeypatch):
    monkeypatch.setitem(promotion._REPLAYS, "attention", "engine")
    model, root = "attention/home", ("--registry", str(tmp_path / "registry"))

    def publish(**change):
        folder = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        metrics = {"nss": 2.1, "auc": 0.88, "cc": 0.7, "kld": 0.6, "information_gain": 1.1} | change
        (folder / "model_card.json").write_text(json.dumps({"metrics": metrics}))
        (folder / "dataset_card.json").write_text("{}")
        return run("publish", str(folder), model, *root).split()[2]

    first = publish()
    said = run("promote", model, *root)
    assert said.count("passed") == 7
    assert "calibration" not in said
    assert said.endswith(f"{model} has champion {first}\n")
    second = publish(nss=2.2, kld=0.7)
    refused = run("promote", model, second, *root, code=1)
    assert "kld is 0.7, the champion's 0.6, margin 0.01" in refused
    (tmp_path / "gates.toml").write_text("[margins]\nnss = 0.0\n")
    said = run("promote", model, second, *root, "--thresholds", str(tmp_path / "gates.toml"))
    assert said.endswith(f"{model} has champion {second}\n")


def test_thresholds_come_from_a_file(run, artifact, golden, tmp_path):
    root = ("--registry", str(tmp_path / "registry"))
    run("publish", artifact(0.8), "behavior/purchase", *root)
    (tmp_path / "gates.toml").write_text("[at_least]\nauc = 0.85\n")
    argv = ("promote", "behavior/purchase", *root, "--thresholds", str(tmp_path / "gates.toml"))
    assert "0.85" in run(*argv, code=1)
    (tmp_path / "gates.toml").write_text("at_leest = 1\n")
    assert run(*argv, code=1).startswith("error: unknown threshold 'at_leest'; expected one of at_least, ")
    (tmp_path / "gates.toml").write_text("at least\n")
    assert "is not TOML" in run(*argv, code=2)


def test_words_for_versions(run, artifact, tmp_path):
    model, root = "behavior/purchase", ("--registry", str(tmp_path / "registry"))
    assert run("compare", model, "latest", *root, code=1).startswith("error: there is no version of behavior/purchase")
    assert run("history", model, *root, code=1).startswith(f"error: {tmp_path / 'registry'} has no behavior/purchase;")
    version = run("publish", artifact(0.8), model, *root).split()[2]
    assert run("compare", model, version[:8], "latest", *root).count("+0.0000") == 3
    assert run("compare", model, "1999", *root, code=1) == (
        f"error: '1999' is no version of behavior/purchase; expected one of {version}\n"
    )
    run("publish", artifact(0.7), "tea/home", *root)
    assert run("promote", "tea/home", *root, code=1) == (
        "error: no thresholds are known for family 'tea'; known: behavior, attention, creative\n"
    )
