"""A search over units, dropout and L2 that can be stopped and gone on with.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization")
proposes. A trial is judged by its lowest validation loss, and given up where it is worse than the median of the earlier
trials at the same epoch. The study lies in SQLite.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import tensorflow as tf
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from features.errors import AuguryError
from features.storage import atomic_write, explained
from models.behavior.dataset import ExamplesFolder
from models.behavior.fitting import FitState, Fitter, Labelled
from models.behavior.layout import Layout, pack
from models.behavior.network import BehaviorNetwork
from models.behavior.options import TrainOptions, TuneOptions
from models.checkpoint import TrainingError, identity_of
from models.progress import Progress

_SEARCHED = ("units", "dropout", "l2")
_UNITS = (16, 32, 64, 128)
_WARM_TRIALS = 4


class TuningError(AuguryError, ValueError):
    """A study that belongs to another search, or one without a single good trial."""


@dataclass(frozen=True)
class Best:
    """The best trial: its validation loss, what it found, and the number of trials behind it."""

    validation_loss: float
    options: dict[str, Any]
    trials: int


def tune(options: TuneOptions, progress: Progress = lambda *_: None) -> Best:
    """Searches until the study ``<output>/study.db`` has ``options.trials`` trials, then writes ``<output>/best.json``.

    A trial that was killed is run again with the same values.

    Raises:
        TuningError: the study was made with other examples or options or is unreadable, or no trial came to an end.
        DatasetError: the examples cannot be used.
        StorageError: the folder cannot be written.
    """
    try:
        return _search(options, progress)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
        cause = e.__cause__ if isinstance(e, optuna.exceptions.StorageInternalError) and e.__cause__ else e
        raise TuningError(
            f"cannot use the study {options.output}/study.db ({getattr(cause, 'orig', cause)}); free some space, mend "
            "the file or its permissions, or choose another --output"
        ) from e


def _search(options: TuneOptions, progress: Progress) -> Best:
    tf.config.experimental.enable_op_determinism()
    folder = ExamplesFolder.open(options.examples)
    study = _open_study(options, folder)
    layout = Layout.of(folder.spec)
    train, validation = (
        Labelled(pack(part.coded, layout), part.labels) for part in map(folder.read, ("train", "validation"))
    )

    def objective(trial: optuna.Trial) -> float:
        def after_epoch(state: FitState) -> None:
            loss = state.history[-1]["validation_loss"]
            trial.report(loss, len(state.history))
            progress("epoch", len(state.history), chosen.max_epochs, f"trial {trial.number}, validation {loss:.4f}")
            if trial.should_prune():
                raise optuna.TrialPruned

        chosen = options.for_trial(_propose(trial))
        fitter = Fitter(BehaviorNetwork(layout, chosen, chosen.seed), train, validation, chosen)
        try:
            fitter.run(after_epoch, progress)
        except TrainingError as e:  # it diverged: a bad choice, and no reason to stop the search
            raise optuna.TrialPruned from e
        return fitter.state.best_loss

    while (done := _done(study)) < options.trials:
        progress("tune", done, options.trials, "")
        # What a sampler draws depends on the number of trials before it alone, so a search that was stopped in between
        # goes the same way as one that was not.
        study.sampler = optuna.samplers.TPESampler(seed=options.seed + done, n_startup_trials=_WARM_TRIALS)
        study.optimize(objective, n_trials=1)
    progress("tune", options.trials, options.trials, "")
    return _write_best(study, options)


def _open_study(options: TuneOptions, folder: ExamplesFolder) -> optuna.Study:
    path = Path(options.output) / "study.db"
    with explained(options.output, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="behavior",
        storage=f"sqlite:///{path}",
        direction="minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_WARM_TRIALS, n_warmup_steps=1),
    )
    fixed = {
        name: value
        for name, value in identity_of(options, folder.card).items()
        if name in ("dataset card", *TrainOptions.__dataclass_fields__) and name not in _SEARCHED
    }
    before = study.user_attrs.get("identity", fixed)
    for name in fixed:
        if before.get(name) != fixed[name]:
            raise TuningError(
                f"the study {path} was made with {name} {before.get(name)}, now it is {fixed[name]}; go back to that "
                "or choose another --output"
            )
    study.set_user_attr("identity", fixed)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # killed; the sampler proposes the same once more
    return study


def _propose(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "units": trial.suggest_categorical("units", _UNITS),
        "dropout": trial.suggest_float("dropout", 0.0, 0.6),
        "l2": trial.suggest_float("l2", 1e-7, 1e-2, log=True),
    }


def _done(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _write_best(study: optuna.Study, options: TuneOptions) -> Best:
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise TuningError(f"none of the trials in {options.output} came to an end; lower --learning-rate")
    best = Best(study.best_value, dict(study.best_params), _done(study))
    atomic_write(f"{options.output}/best.json", json.dumps(asdict(best), indent=2) + "\n")
    return best
