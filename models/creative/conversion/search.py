"""A search over the options of trees that can be stopped and gone on with.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization")
proposes; a trial is judged by its lowest validation log loss. The first trial is the options as they were given, so a
search never ends with worse ones. The study of each target lies in SQLite.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from features.storage import explained
from models.checkpoint import TrainingError
from models.creative.conversion.trees import Grower, TreeOptions
from models.progress import Progress

_WARM_TRIALS = 5


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        options: of the best trial.
        rounds: trees it took.
        loss: its validation log loss.
        first_loss: that of the options as they were given.
        trials: finished ones, in this and earlier processes.
        complete: whether all trials were made; else the time was over.
    """

    options: TreeOptions
    rounds: int
    loss: float
    first_loss: float
    trials: int
    complete: bool


@dataclass(frozen=True)
class SearchLimits:
    """How long to search: at least one trial, at most ``trials``, and none begun after ``seconds``."""

    trials: int
    seconds: float


def search(
    grower: Grower,
    start: TreeOptions,
    limits: SearchLimits,
    path: Path,
    identity: Mapping[str, str],
    progress: Progress = lambda *_: None,
) -> Found:
    """Searches until the study has ``limits.trials`` trials or the time is over.

    Which options a trial tries depends on the number of trials before it and their results alone, so a search that was
    stopped and gone on with finds what one that was not would have found.

    Args:
        grower: of the target.
        start: options of the first trial.
        limits: how long.
        path: of the study, a local file; one that is there is gone on with.
        identity: what must be equal for going on.
        progress: told after every trial.

    Raises:
        TrainingError: the study was made with something else or cannot be used.
        StorageError: its folder cannot be made.
    """
    try:
        return _search(grower, start, limits, path, dict(identity), progress)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
        cause = e.__cause__ if isinstance(e, optuna.exceptions.StorageInternalError) and e.__cause__ else e
        raise TrainingError(
            f"cannot use the study {path} ({getattr(cause, 'orig', cause)}); free some space, mend the file or its "
            "permissions, or train without --resume"
        ) from e


def _search(
    grower: Grower,
    start: TreeOptions,
    limits: SearchLimits,
    path: Path,
    identity: dict[str, str],
    progress: Progress,
) -> Found:
    study = _open(path, identity)
    began, stage = time.monotonic(), f"search {path.stem}"

    def objective(trial: optuna.Trial) -> float:
        loss, rounds = grower.judge(_propose(trial))
        trial.set_user_attr("rounds", rounds)
        return loss

    while (done := len(_finished(study))) < limits.trials:
        if done and time.monotonic() - began > limits.seconds:
            break
        if not done and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.enqueue_trial(_values(start))
        progress(stage, done, limits.trials, f"{study.best_value:.5f}" if done else "")
        study.sampler = optuna.samplers.TPESampler(seed=int(identity["seed"]) + done, n_startup_trials=_WARM_TRIALS)
        study.optimize(objective, n_trials=1)
    finished = _finished(study)
    progress(stage, limits.trials, limits.trials, f"{study.best_value:.5f}")
    best = study.best_trial
    return Found(
        options=_options(best.params),
        rounds=int(best.user_attrs["rounds"]),
        loss=float(study.best_value),
        first_loss=float(min(finished, key=lambda trial: trial.number).value or 0.0),
        trials=len(finished),
        complete=len(finished) >= limits.trials,
    )


def _open(path: Path, identity: dict[str, str]) -> optuna.Study:
    with explained(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="creative", storage=f"sqlite:///{path}", direction="minimize", load_if_exists=True
    )
    before = study.user_attrs.get("identity", identity)
    for name in sorted(before.keys() | identity.keys()):
        if before.get(name) != identity.get(name):
            raise TrainingError(
                f"the study {path} was made with {name} {before.get(name)}, now it is {identity.get(name)}; go back to "
                "that or train without --resume"
            )
    study.set_user_attr("identity", identity)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # killed; the same values are proposed once more
    return study


def _finished(study: optuna.Study) -> list[Any]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _propose(trial: optuna.Trial) -> TreeOptions:
    return TreeOptions(
        max_depth=trial.suggest_int("max_depth", 1, 8),
        learning_rate=trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        min_child_weight=trial.suggest_float("min_child_weight", 0.1, 1000.0, log=True),
        subsample=trial.suggest_float("subsample", 0.5, 1.0),
        colsample=trial.suggest_float("colsample", 0.3, 1.0),
        l2=trial.suggest_float("l2", 0.01, 100.0, log=True),
    )


def _values(options: TreeOptions) -> dict[str, Any]:
    """Returns options as values of a trial, those out of the search's range at its edge."""
    edges = {
        "max_depth": (1, 8),
        "learning_rate": (0.02, 0.3),
        "min_child_weight": (0.1, 1000.0),
        "subsample": (0.5, 1.0),
        "colsample": (0.3, 1.0),
        "l2": (0.01, 100.0),
    }
    return {name: min(max(getattr(options, name), low), high) for name, (low, high) in edges.items()}


def _options(values: Mapping[str, Any]) -> TreeOptions:
    return TreeOptions(**values)
