"""The whole job once: events to examples, a trained and calibrated model, its report, and a promoted version."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from augury.commands import screen
from augury.commands.examples import show_card
from augury.commands.flags import argv_of
from augury.demo_figures import calibration_of, measure, show_figures
from augury.simulator import SimulationOptions, read_truth, simulate
from features.adapters import get_adapter
from features.errors import AuguryError
from features.storage import atomic_write, is_local
from models.behavior.options import TrainOptions
from models.gates import Gates, Thresholds
from models.processes import run_module
from models.registry import RefusedError, Registry
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.quick_start import import_beam
from serving.promotion import replay_through_service
from transforms.sources import plan_reads

FAMILY = "behavior"
SUMMARY = "demo.json"
_OWN = ("shop", "examples", "examples-dead-letter", "model", "model.work", "registry", SUMMARY)
_MARKER = ".augury-demo"
"""Says that a folder is a demo's: other commands give their folders the same names."""

_SOON = {"view_events": ["Page Viewed", "Screen Viewed", "Product Viewed"], "horizon_events": 5}
_ARTIFACT = "model"


class DemoError(AuguryError, ValueError):
    """A demo that cannot be run as asked."""


class TrainingFailedError(AuguryError, RuntimeError):
    """The training process ended with an error, which it printed itself."""


@dataclass(frozen=True)
class DemoOptions:
    """What to show.

    Attributes:
        output: folder for all that the demo makes; an earlier demo in it is replaced.
        events: file, folder or glob of your own events; none: a shop is simulated.
        mapping: path of the mapping file (.toml) that reads your events, or one of segment, ga4, canonical.
        visitors: people who come to the simulated shop.
        seed: decides the simulation, the splits and the training.
        max_epochs: most passes over the training examples.
        horizon_events: with your own events, whether the visitor buys within so many next events of the session.
        gap_minutes: with your own events, inactivity that ends a session.
        max_events: with your own events, drop visitors with more events than this.
        test: with your own events, the last share of the time, which is kept for the test.
        max_ece: the most calibration error with which a model is promoted.
    """

    output: str = "demo"
    events: str | None = None
    mapping: str = "segment"
    visitors: int = 60_000
    seed: int = 0
    max_epochs: int = 12
    horizon_events: int = 5
    gap_minutes: float = 30.0
    max_events: int = 1000
    test: float = 0.2
    max_ece: float = 0.02

    def __post_init__(self) -> None:
        if not self.output:
            raise DemoError("output is empty; name a folder")
        if self.events is None and self.mapping != "segment":
            raise DemoError(f"mapping is {self.mapping!r}, but there are no events to read by it; give events as well")
        for name, least in (("visitors", 1000), ("max_epochs", 1), ("horizon_events", 1)):
            if getattr(self, name) < least:
                raise DemoError(f"{name} is {getattr(self, name)}; expected {least} or more")


@dataclass
class _Clock:
    """How long every step took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        screen.line(f"{len(self.seconds) + 1}. {name}", style="bold")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)


def run_demo(options: DemoOptions) -> dict[str, Any]:
    """Runs the demo, printing what happens, and returns its summary, which is also written to ``demo.json``.

    A model that does not pass its gates is an outcome, not an error: the summary says so.

    Raises:
        AuguryError: whatever stops a step; what the steps before it made stays in the folder.
    """
    folder = Path(options.output)
    if options.events is not None:
        _check_events(options.events, options.mapping, folder)
    _make_room(folder)
    clock = _Clock()
    truth = None
    if options.events is None:
        with clock.step("simulate a shop"), screen.progress("visitors") as bar:
            shop = SimulationOptions(str(folder / "shop"), visitors=options.visitors, seed=options.seed)
            made = simulate(shop, bar)
        screen.line(
            f"{made.counts['rows']:,} rows by {made.counts['visitors']:,} visitors and some robots: {made.events}"
        )
        truth = read_truth(made.folder)
    with clock.step("make examples"), screen.spinner("reading, cleaning, coding"):
        asked = examples_options(options)
        import_beam([*asked.events, asked.output])
        from pipelines.behavior_examples import make_examples

        card = make_examples(asked)
    show_card(card)
    artifact = folder / _ARTIFACT
    with clock.step("train, calibrate, evaluate"):
        code = run_module("models.behavior.train", argv_of(training_options(options)))
        if code:
            raise TrainingFailedError(f"training ended with exit code {code}; what it said is above")
    name = "purchase"
    registry = Registry(str(folder / "registry"))
    with clock.step("publish"), screen.spinner("publishing"):
        version = registry.publish(artifact, FAMILY, name)
    with clock.step("try the gates and promote"), screen.spinner("replaying the golden set"):
        try:
            replay = replay_through_service(str(folder / "registry"), FAMILY, name, version)
            champion = registry.promote(
                FAMILY, name, version, Gates(Thresholds.of(FAMILY).changed({"max_ece": options.max_ece}), replay).check
            )
            promoted, gates = True, list(champion.gates)
        except RefusedError as e:
            promoted, gates = False, [result.to_dict() for result in e.results]
    figures = measure(artifact, truth)
    calibration = calibration_of(artifact)
    summary = {
        "seconds": clock.seconds,
        "events": card["events"],
        "sessions": card["sessions"],
        "splits": card["splits"],
        "figures": figures,
        "calibration": {key: calibration[key] for key in ("kept", "ece_before", "ece_after")},
        "gates": gates,
        "version": version,
        "promoted": promoted,
        "report": str(artifact / "report.html"),
    }
    atomic_write(folder / SUMMARY, json.dumps(summary, indent=2, allow_nan=False) + "\n")
    show_figures(figures)
    _show_end(summary)
    return summary


def examples_options(options: DemoOptions) -> ExamplesOptions:
    """Returns how the demo makes examples.

    The simulated shop is sliced at outcomes, where its truth is known. Real events are asked at every page view, since
    at an outcome the length and the place of an instance could give the answer away; the end of time is the test.
    """
    output = f"{options.output}/examples"
    if options.events is None:
        return ExamplesOptions((f"{options.output}/shop/events",), output, seed=options.seed)
    return ExamplesOptions(
        (options.events,),
        output,
        adapter=options.mapping,
        generator="purchase_points",
        generator_params=orjson.dumps(_SOON | {"horizon_events": options.horizon_events}).decode(),
        gap_minutes=options.gap_minutes,
        max_events=options.max_events,
        split_by="time",
        validation=0.2,  # of time, so of fewer visitors than a share by visitor would be
        test=options.test,
        seed=options.seed,
    )


def training_options(options: DemoOptions) -> TrainOptions:
    """Returns how the demo trains."""
    return TrainOptions(
        examples=f"{options.output}/examples",
        output=f"{options.output}/{_ARTIFACT}",
        max_epochs=options.max_epochs,
        seed=options.seed,
    )


def _check_events(events: str, mapping: str, folder: Path) -> None:
    """Refuses events that cannot be read, or that would go with an earlier demo, before anything is removed."""
    get_adapter(mapping, now_us=0)
    for task in plan_reads((events,)):
        if is_local(task.path) and Path(task.path).resolve().is_relative_to(folder.resolve()):
            raise DemoError(f"output {folder} holds the events {task.path} and would be replaced; name another folder")


def _make_room(folder: Path) -> None:
    """Removes what an earlier demo made; refuses a folder with anything else in it."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"output {folder} is a file; name a folder")
    there = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    shown = [name for name in there if not name.startswith(".")]
    ours = _OWN if {_MARKER, SUMMARY}.intersection(there) else ()
    foreign = sorted((name for name in shown if name not in ours), key=lambda name: name in _OWN)
    if foreign:
        raise DemoError(f"output {folder} holds {foreign[0]!r}, which no demo made; name another folder")
    for name in set(_OWN).intersection(there):
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    atomic_write(folder / _MARKER, "The augury demo made this folder, and replaces it when it is run again.\n")


def _show_end(summary: dict[str, Any]) -> None:
    rows = [(gate["name"], "passed" if gate["passed"] else "FAILED", gate["detail"]) for gate in summary["gates"]]
    screen.table("Gates", ("gate", "", "what it found"), rows)
    seconds = summary["seconds"]
    took = [(step, f"{taken:.1f}") for step, taken in {**seconds, "all": sum(seconds.values())}.items()]
    screen.table("Seconds", ("step", "seconds"), took, right=(1,))
    found = summary["calibration"]
    kept = "kept" if found["kept"] else "not kept"
    screen.line(f"calibration: ECE {found['ece_before']:.4f} before, {found['ece_after']:.4f} after; scaling {kept}")
    fate = "champion" if summary["promoted"] else "not promoted, for it did not pass every gate"
    screen.line(f"version: {summary['version']} ({fate})")
    screen.line(f"report: {summary['report']}")
