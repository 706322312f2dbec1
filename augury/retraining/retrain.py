"""A whole retraining: from the window to a champion, or to the reason why there is no new one."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from augury.retraining.app import App
from augury.retraining.code import code_version
from augury.retraining.errors import RunError, StoppedError
from augury.retraining.families import Places, family_of
from augury.retraining.locks import Lease, file_lock
from augury.retraining.provenance import Identity, known_of, known_versions, last_run
from augury.retraining.run_folder import RunFolder
from augury.retraining.steps import Run, Say, check_data, decide, make_examples, publish, train
from augury.retraining.summary import FAILED, INTERRUPTED, KEPT, PROMOTED, STOPPED, write_summary
from augury.retraining.validation import tfdv_python
from augury.retraining.window import DataWindow, window_of
from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD
from features.storage import StorageError, atomic_write, exists, is_local, read_bytes
from models.registry import Registry

SPEC = "feature_spec.json"
_SHARED = ("examples", "checks", "train", "publish", "verify", "compare", "decision")


def retrain(
    app: App,
    *,
    end: str | None = None,
    folder: str | None = None,
    examples: str | None = None,
    say: Say = lambda _: None,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> dict[str, Any]:
    """Retrains an application's model, or goes on with a retraining that was killed; returns its summary.

    The summary is in the run's folder as well, whatever the outcome: also that of data that are not fit to learn from,
    of a version that did not pass its gates, and of an error, which is raised after it was written.

    Args:
        app: what is retrained.
        end: the first day that is not learnt from; by default as the window rolls.
        folder: of the run, local; by default one of its own in ``app.runs``.
        examples: folder of examples of this window that were made already.
        say: tells people what goes on.
        now_us: the clock.

    Raises:
        AuguryError: the description is wrong, somebody else is at work, or a step failed.
        KeyboardInterrupt: Ctrl-C.
    """
    if folder is not None and not is_local(folder):
        raise RunError(f"run is {folder!r}; expected a local folder: checkpoints and locks are files")
    family = family_of(app.family)
    window = window_of(app.window, end, now_us())
    family.check(app, window, made=examples is not None)
    tfdv_python(app.checks)
    registry = Registry(app.registry)
    identity = Identity(app.family, app.name, window, code_version(), _options(app, examples))
    path = Path(folder or f"{app.runs}/{app.family}/{app.name}/{window.end}-{window.days}d-{identity.key[:12]}")
    path = path.absolute()
    say(f"{app.model}: {window} ({window.days} days), code {identity.code}, run {path}")
    with _alone(app) as (locks, still_ours):
        run_folder = RunFolder(path)
        plan = run_folder.begin(identity, lambda: _plan(app, registry, identity, examples, path))
        places = Places(plan["examples"], str(path), str(path / SPEC) if plan["spec"] else None)
        _restore_spec(registry, app, plan, path)
        run = Run(
            app, family, identity, run_folder, registry, places, examples is not None, plan, locks, still_ours, say
        )
        try:
            outcome, why = _work(run)
        except StoppedError as e:
            outcome, why = STOPPED, f"{e.kind}: {e}"
        except (AuguryError, OSError) as e:
            with suppress(AuguryError, OSError):
                _summarise(run, FAILED, " ".join(str(e).split()))
            raise
        except KeyboardInterrupt:
            with suppress(AuguryError, OSError):
                _summarise(run, INTERRUPTED, "")
            raise
        return _summarise(run, outcome, why)


def _options(app: App, examples: str | None) -> dict[str, Any]:
    """Returns what of the description decides a version."""
    found: dict[str, Any] = {"examples": app.examples, "train": app.train, "data": app.data}
    if examples is not None:
        try:
            card = read_bytes(f"{examples.rstrip('/')}/{DATASET_CARD}")
        except StorageError as e:
            raise RunError(f"{examples} is not a complete examples folder ({e}); make the examples first") from e
        found = {"train": app.train, "made": hashlib.sha256(card).hexdigest()}
    return found


@contextmanager
def _alone(app: App) -> Iterator[tuple[tuple[int, ...], Callable[[], None]]]:
    """Yields the locks that jobs share and what says whether they are still ours."""
    name = f"{app.family}-{app.name}"
    with ExitStack() as stack:
        locks = [stack.enter_context(file_lock(f"{Path(app.runs).absolute()}/.{name}.lock", app.model))]
        if is_local(app.registry):
            path = f"{Path(app.registry).absolute()}/.retraining/{name}.lock"
            locks.append(stack.enter_context(file_lock(path, app.model)))
            yield tuple(locks), lambda: None
            return
        lease = Lease(f"{app.registry.rstrip('/')}/.retraining/{name}.json", app.model)
        lease.take()
        stack.callback(lease.give_back)
        yield tuple(locks), lease.check


def _plan(app: App, registry: Registry, identity: Identity, examples: str | None, path: Path) -> Mapping[str, Any]:
    """Returns what a run decides when it first begins, so that it ends alike however often it is killed."""
    last = last_run(registry, identity)
    champion = registry.champion(app.family, app.name)
    options = identity.to_dict()["options"].get("examples")
    sticky = family_of(app.family).sticky and examples is None and "spec" not in app.examples
    if examples is not None:
        made = examples.rstrip("/")
    elif app.archive is not None:
        made = f"{app.archive.rstrip('/')}/{app.family}/{app.name}/{path.name}/examples"
    else:
        made = f"{path}/examples"
    return {
        "began": _now(),
        "last_run": None if last is None else last.version,
        "spec": sticky and last is not None and last.told["options"].get("examples") == options,
        "champion": None if champion is None else champion.version,
        "examples": str(Path(made).absolute()) if is_local(made) else made,
    }


def _restore_spec(registry: Registry, app: App, plan: Mapping[str, Any], path: Path) -> None:
    """Writes the feature spec of the last run into the folder, where this run codes by it."""
    if plan["spec"] and not exists(path / SPEC):
        manifest = registry.manifest(app.family, app.name, plan["last_run"])
        atomic_write(path / SPEC, registry.read_file(manifest, SPEC))


def _work(run: Run) -> tuple[str, str]:
    """Does all steps; returns the outcome and why."""
    there = known_of(run.registry, run.identity)
    if there is not None and run.folder.result("publish") is None:
        run.say(f"{there.version} is of this window and this code already")
        run.folder.record("publish", {"version": there.version, "seconds": 0.0})
    if run.folder.result("publish") is None:
        made = make_examples(run)
        planned = (k for k in known_versions(run.registry, *run.model) if k.version == run.plan["last_run"])
        checks = check_data(run, next(planned, None))
        train(run)
        version = str(publish(run, made, checks)["version"])
    else:
        version = str((run.folder.result("publish") or {})["version"])
    decision = decide(run, version)
    return (PROMOTED, "") if decision["promoted"] else (KEPT, str(decision["why"]))


def _summarise(run: Run, outcome: str, why: str) -> dict[str, Any]:
    results = {step: run.folder.result(step) or {} for step in _SHARED}
    window: DataWindow = run.identity.window
    champion = run.registry.champion(*run.model)
    decision, checks = results["decision"], results["checks"]
    summary = {
        "model": run.app.model,
        "outcome": outcome,
        "reason": why,
        "version": results["publish"].get("version"),
        "champion_before": decision.get("against") or run.plan["champion"],
        "champion_now": None if champion is None else champion.version,
        "window": {
            "first": str(window.first),
            "last": str(window.last),
            "end": str(window.end),
            "days": window.days,
        },
        "code": run.identity.code,
        "key": run.identity.key,
        "run": str(run.folder.path),
        "examples": results["examples"].get("folder"),
        "checks": {name: value for name, value in checks.items() if name != "seconds"} or None,
        "comparison": results["compare"].get("rescored"),
        "gates": decision.get("gates", []),
        "seconds": {step: found["seconds"] for step, found in results.items() if "seconds" in found},
        "began": run.plan["began"],
        "ended": _now(),
    }
    before = run.folder.result("summary")
    if before is not None and before["outcome"] == outcome:
        summary["ended"] = before["ended"]  # nothing was done again
    write_summary(run.folder.path, summary)
    if run.app.archive is not None:
        write_summary(f"{run.app.archive.rstrip('/')}/{run.app.family}/{run.app.name}/{run.folder.path.name}", summary)
    return json.loads(json.dumps(summary))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
