"""The steps of a retraining. Each finds out first whether it is done; what it leaves appears whole."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from augury.retraining.app import App
from augury.retraining.checks import Before, Measured, find, reason
from augury.retraining.errors import RunError, StoppedError
from augury.retraining.families import Family, Places
from augury.retraining.jobs import run_job
from augury.retraining.provenance import Identity, Known, statistics_of, version_of
from augury.retraining.run_folder import RunFolder
from augury.retraining.validation import STATISTICS, validate
from features.fingerprinted import DATASET_CARD
from features.storage import exists, read_bytes, write_folder_atomic
from models.artifact import write_json
from models.gates import Gates
from models.registry import Champion, RefusedError, Registry
from models.rescored import Rescored
from models.rescoring import PROVENANCE, coded_for, rescorer
from serving.promotion import replay_through_service

_DAY_US = 86_400_000_000
_DECISIONS = ("promote", "refuse")

Say = Callable[[str], None]


@dataclass
class Run:
    """A run at work.

    Attributes:
        app: the application.
        family: of it.
        identity: of the version.
        folder: of the run.
        registry: that versions go to.
        places: where jobs read and write.
        given: whether the examples were there before.
        plan: what was decided when the run first began.
        locks: descriptors that jobs share.
        still_ours: raises where a lease was lost.
        say: tells people what goes on.
        seconds: what each step took, in this process.
    """

    app: App
    family: Family
    identity: Identity
    folder: RunFolder
    registry: Registry
    places: Places
    given: bool
    plan: Mapping[str, Any]
    locks: Sequence[int] = ()
    still_ours: Callable[[], None] = lambda: None
    say: Say = lambda _: None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def model(self) -> tuple[str, str]:
        """Family and name."""
        return self.app.family, self.app.name

    def step(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Returns the result of a step that is done, or does it and writes it down."""
        self.still_ours()
        found = self.folder.result(name)
        if found is not None:
            self.say(f"{name}: done before")
            return found
        self.say(f"{name} ...")
        started = time.monotonic()
        result = {**work(), "seconds": round(time.monotonic() - started, 1)}
        self.seconds[name] = result["seconds"]
        return self.folder.record(name, result)

    @property
    def card(self) -> dict[str, Any]:
        """The card of the examples."""
        found: dict[str, Any] = json.loads(read_bytes(f"{self.places.examples}/{DATASET_CARD}"))
        return found


def make_examples(run: Run) -> dict[str, Any]:
    """Makes what is trained on."""

    def work() -> dict[str, Any]:
        if run.given and not exists(f"{run.places.examples}/{DATASET_CARD}"):
            raise RunError(f"{run.places.examples} is not a complete examples folder: it has no {DATASET_CARD}")
        jobs = run.family.jobs(run.app, run.identity.window, run.places) if not run.given else []
        for job in jobs:
            run_job(job, run.folder.path / f"{job.name}.log", run.locks)
        card = run.card
        digest = hashlib.sha256(read_bytes(f"{run.places.examples}/{DATASET_CARD}")).hexdigest()
        return {"folder": run.places.examples, "card_sha256": digest, "fingerprint": card["fingerprint"]}

    return run.step("examples", work)


def check_data(run: Run, last: Known | None) -> dict[str, Any]:
    """Compares the data with the last run's, and stops where they are not fit to learn from.

    Raises:
        StoppedError: they are not.
    """
    rules = {name: value for name, value in asdict(run.app.checks).items() if name != "python"}
    before = run.folder.result("checks")
    if before is not None and before["rules"] != rules:
        run.folder.forget("checks")  # what was found says nothing of other rules

    def work() -> dict[str, Any]:
        fingerprint = run.card["fingerprint"]
        comparable = last is not None and last.told["fingerprint"] == fingerprint
        previous = statistics_of(run.registry, last) if last is not None and comparable else None
        since_us = run.identity.window.end_us - run.app.checks.days * _DAY_US
        about = run.family.validation(run.places.examples)
        with write_folder_atomic(run.folder.path / "statistics", overwrite=True) as staged:
            found = validate(run.places.examples, about, previous, since_us, run.app.checks, staged)
        rates = found.rates or run.family.rates(run.card, run.places.examples)
        measured = Measured(found.examples, rates, found.anomalies, found.measures)
        findings = find(measured, _before(last, run.app.checks.days), run.app.checks)
        return {
            "findings": [asdict(one) for one in findings],
            "reason": reason(findings) if findings else "",
            "examples": measured.examples,
            "days": run.app.checks.days,
            "rates": {name: [rate.count, rate.among] for name, rate in measured.rates.items()},
            "measures": list(measured.measures),
            "anomalies": list(measured.anomalies),
            "last_run": None if last is None else last.version,
            "drift_judged": comparable,
            "rules": rules,
        }

    found = run.step("checks", work)
    if found["findings"]:
        raise StoppedError(found["reason"], "checks", found["findings"][0]["kind"])
    return found


def _before(last: Known | None, days: int) -> Before | None:
    """Returns what to compare with; numbers of other days than ours cannot be compared."""
    return last.before() if last is not None and last.told["checks"]["days"] == days else None


def train(run: Run) -> dict[str, Any]:
    """Trains, calibrates and evaluates; goes on from a checkpoint."""

    def work() -> dict[str, Any]:
        job = run.family.training(run.app, run.places)
        run_job(job, run.folder.path / f"{job.name}.log", run.locks)
        return {"folder": run.places.model}

    return run.step("train", work)


def publish(run: Run, examples: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, Any]:
    """Publishes the artifact with its statistics and what it is of; a version of the same identity is found again."""

    def work() -> dict[str, Any]:
        version = version_of(run.registry, run.identity)
        if version is None:
            staged = run.folder.path / "version"
            if not (staged / PROVENANCE).exists():
                _stage(run, staged, examples, checks)
            version = run.registry.publish(staged, *run.model)
        shutil.rmtree(run.folder.path / "version", ignore_errors=True)
        return {"version": version}

    return run.step("publish", work)


def _stage(run: Run, staged: Path, examples: Mapping[str, Any], checks: Mapping[str, Any]) -> None:
    told = {
        "key": run.identity.key,
        **run.identity.to_dict(),
        "fingerprint": examples["fingerprint"],
        "examples": {"folder": examples["folder"], "card_sha256": examples["card_sha256"]},
        "checks": {name: checks[name] for name in ("examples", "days", "rates", "last_run")},
        "statistics": STATISTICS,
    }
    with write_folder_atomic(staged, overwrite=True) as folder:
        shutil.copytree(run.places.model, folder, dirs_exist_ok=True)
        shutil.copyfile(run.folder.path / "statistics" / STATISTICS, folder / STATISTICS)
        write_json(folder / PROVENANCE, told)


def verify(run: Run, version: str) -> dict[str, Any]:
    """Replays the golden set through the path that serves it."""

    def work() -> dict[str, Any]:
        found = replay_through_service(run.app.registry, *run.model, version)(None)
        return {"total": found.total, "identical": found.identical, "differing": list(found.differing)}

    return run.step("verify", work)


def compare(run: Run, version: str) -> dict[str, Any]:
    """Judges the champion on this version's data."""

    def work() -> dict[str, Any]:
        champion = run.registry.champion(*run.model)
        if champion is None or champion.version == version:
            return {"champion": None, "rescored": None}
        reigning = run.registry.present(*run.model, champion.version)
        folders = [run.registry.open_version(*run.model, each) for each in (reigning, version)]
        _code_for(run, folders[0], folders[1])
        found = rescorer(run.app.family)(folders[0], folders[1])
        return {"champion": champion.version, "rescored": json.loads(found.to_json())}

    return run.step("compare", work)


def _code_for(run: Run, champion: Path, candidate: Path) -> None:
    """Makes the examples again as a champion of another feature spec codes them, where it has one."""
    file = run.family.spec.file
    theirs, ours = (json.loads(read_bytes(version / file)).get("fingerprint", "") for version in (champion, candidate))
    if not run.family.sticky or theirs == ours or run.given:
        return
    places = Places(coded_for(run.places.examples, theirs), run.places.run, str(champion / file))
    (job,) = run.family.jobs(run.app, run.identity.window, places)
    run_job(job, run.folder.path / "examples-champion.log", run.locks)


def decide(run: Run, version: str) -> dict[str, Any]:
    """Promotes the version, or keeps the champion and says why."""

    def work() -> dict[str, Any]:
        decided = [
            line
            for line in run.registry.history(*run.model)
            if line["version"] == version and line["action"] in _DECISIONS
        ]
        if decided:  # by a run that was killed before it could say so, or by somebody by hand
            line = decided[-1]
            return _decision(line["action"] == "promote", line.get("gates", ()), line.get("replaced"))
        known = compare(run, version)
        seen = verify(run, version)

        def rescore(champion: Path, candidate: Path) -> Rescored:
            if known["champion"] is None or champion.name != run.registry.present(*run.model, known["champion"]):
                return rescorer(run.app.family)(champion, candidate)  # it has changed since
            return Rescored.from_json(json.dumps(known["rescored"]))

        gates = Gates(run.app.thresholds, lambda _: _Replayed(seen["total"], seen["identical"]), rescore)
        why = f"retrained on {run.identity.window}"
        try:
            champion: Champion = run.registry.promote(*run.model, version, gates.check, why)
        except RefusedError as e:
            return _decision(False, [result.to_dict() for result in e.results], known["champion"])
        return _decision(True, champion.gates, champion.replaced)

    return run.step("decision", work)


def _decision(promoted: bool, gates: Sequence[Mapping[str, Any]], against: str | None) -> dict[str, Any]:
    failed = [f"{gate['name']}: {gate['detail']}" for gate in gates if not gate["passed"]]
    return {"promoted": promoted, "gates": list(gates), "against": against, "why": "; ".join(failed)}


@dataclass(frozen=True)
class _Replayed:
    total: int
    identical: int
