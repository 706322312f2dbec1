"""Whether outcome reports alarm when a model decays, and only then, on a simulated shop: ``make bench-outcomes``.

A model is trained as users train one, on a simulated shop; then the shop goes on, and the model predicts for its
visitors. All of it is simulated. Healthy weeks follow the law that the model was trained on. Decay is planted in three
ways: visitors behave as before, but what they do no longer tells who buys; half as many buy; about twice as many buy.
Each is tried with several seeds, and the worst counts.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from augury import simulator_hazards as law
from augury.outcome_files import references_of
from augury.simulator import SimulationOptions, simulate
from benchmarks.figures import Figure, write_results
from benchmarks.production import PARAMS, SETTLE_DAYS, law_of, produce
from benchmarks.shop_messages import NO_TROUBLE
from benchmarks.trained import train
from models.behavior.outcomes.judging import AlarmRules, judge
from models.behavior.outcomes.rows import read_card, read_rows
from models.gates import GateResult
from models.registry import Registry
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.outcome_options import OutcomeOptions
from pipelines.outcome_report import join_outcomes

TRAINING_VISITORS = 12_000
VISITORS_A_WEEK = 4000
HEALTHY_WEEKS, HEALTHY_SEEDS = 10, (11, 12, 13, 14, 15)
DECAYED_WEEKS = 2
SEEDS = (1, 2, 3)
DECAYS: dict[str, dict[str, Any]] = {
    "what visitors do no longer tells who buys": {
        **{name: getattr(law, name) * 0.0 for name in ("DEVICE", "MEDIUM", "BASKET", "VISIT", "LAST")},
        **{name: getattr(law, name) * 0.0 for name in ("INTEREST", "STEP", "READING")},
        "BIAS": law.BIAS + 3.0,
    },
    "half as many buy": {"BIAS": law.BIAS - 0.9},
    "twice as many buy": {"BIAS": law.BIAS + 0.9},
}


def main() -> None:
    """Simulates, judges, and writes ``benchmarks/results/outcomes.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept; a model that is there is used")
    keep = parser.parse_args().keep
    scratch = keep or Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        registry, version = _model(scratch)
        rules = AlarmRules()
        first: dict[str, list[int]] = {}
        for name, changed in DECAYS.items():
            for seed in SEEDS:
                folder = scratch / "decay"
                with law_of(**changed):
                    found = _judged(folder, registry, version, DECAYED_WEEKS, seed=100 + seed)
                first.setdefault(name, []).append(_first_alarm(found))
                print(name, seed, _shown(found), flush=True)
        weeks = []
        for seed in HEALTHY_SEEDS:
            found = _judged(scratch / "healthy", registry, version, HEALTHY_WEEKS, seed=seed)
            weeks += [week for week in found["weeks"] if week["settled"]][:HEALTHY_WEEKS]
            print("healthy", seed, _shown(found), flush=True)
        alarmed = [week for week in weeks if week["alarms"]]
    finally:
        if keep is None:
            shutil.rmtree(scratch)
    compared = [week for week in weeks if week["not_compared"] is None]
    judged = int(np.mean([week["judged"] for week in compared]))
    positives = int(np.mean([week["realised"]["positives"] for week in compared]))
    worst = {name: max(found) for name, found in first.items()}
    about = (
        f"simulated shop; {VISITORS_A_WEEK} new visitors a week; {judged} judged predictions "
        f"and {positives} positives a week; interval {rules.level:g}, margins {rules.auc_margin:g} of AUC and "
        f"{rules.rate_margin:.0%} of the rate"
    )
    write_results(
        "outcomes",
        [
            Figure(
                "decay_detect_weeks",
                f"weekly windows from the first with planted decay to the first alarm, worst of {len(SEEDS)} seeds and "
                f"{len(DECAYS)} kinds ({'; '.join(f'{name}: {weeks}' for name, weeks in worst.items())}); its "
                f"answers are in {SETTLE_DAYS} day after the week's end; {about}",
                max(worst.values()),
                "weeks",
                "<= 1",
            ),
            Figure(
                "false_alarms",
                f"of {len(compared)} healthy weeks that were compared, those with an alarm; {about}",
                len(alarmed),
                "weeks",
                "<= 2",
            ),
            Figure("healthy_weeks", "healthy weeks that were compared, simulated", len(compared), "weeks", ">= 50"),
        ],
    )


def _model(scratch: Path) -> tuple[str, str]:
    registry = Registry(scratch / "registry")
    if not registry.versions("behavior", "purchase"):
        made = simulate(
            SimulationOptions(str(scratch / "past"), TRAINING_VISITORS, format="parquet", trouble=NO_TROUBLE)
        )
        options = ExamplesOptions(
            (made.events,),
            str(scratch / "examples"),
            adapter="canonical",
            generator="purchase_points",
            generator_params=orjson.dumps(PARAMS).decode(),
        )
        make_examples(options)
        evaluation = train(scratch / "examples", scratch / "model", 0, "--max-epochs=6")
        print(
            f"model: AUC {evaluation['metrics']['auc']:.4f}, ECE {evaluation['metrics']['ece']:.4f} on its test split"
        )
        found = registry.publish(scratch / "model", "behavior", "purchase")
        registry.promote("behavior", "purchase", found, lambda _, __: [GateResult("benchmark", True, "not judged")])
    return str(scratch / "registry"), registry.versions("behavior", "purchase")[-1]


def _judged(folder: Path, registry: str, version: str, weeks: int, *, seed: int) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = produce(folder, registry, version, weeks=weeks, visitors=VISITORS_A_WEEK, seed=seed)
    options = OutcomeOptions(
        (made.events,),
        (made.predictions,),
        "purchase",
        str(folder / "outcomes"),
        registry=registry,
        settle_days=SETTLE_DAYS,
    )
    join_outcomes(options)
    card = read_card(options.output)
    return judge(read_rows(options.output, card), card, AlarmRules(), references_of(registry, card))


def _first_alarm(found: dict[str, Any]) -> int:
    """Returns how many weeks it took to the first alarm, 1 for the first week; one more than all for none."""
    weeks = found["weeks"][:DECAYED_WEEKS]
    return next((number for number, week in enumerate(weeks, 1) if week["alarms"]), len(weeks) + 1)


def _shown(found: dict[str, Any]) -> str:
    lines = []
    for week in found["weeks"]:
        if not week["realised"]:
            continue
        auc, rate = week["expected"].get("auc"), week["expected"]["positive_rate"]
        true = week["realised"]["auc"] or {"value": float("nan")}
        lines.append(
            f"\n  {week['week']} {week['judged']} auc {true['value']:.3f} ({auc['low']:.3f} {auc['value']:.3f} "
            f"{auc['high']:.3f}) rate {week['realised']['positive_rate']:.4f} ({rate['low']:.4f} {rate['value']:.4f} "
            f"{rate['high']:.4f}) {[alarm['figure'] for alarm in week['alarms']]}"
        )
    return "".join(lines)


if __name__ == "__main__":
    main()
