"""Checkpoints: all that the next epoch needs, in one file that is replaced as a whole after every epoch.

The variables in the order of ``Fitter.variables``, the best weights so far, and the rest of the state.
"""

import dataclasses

from models.behavior.fitting import FitState, Fitter
from models.checkpoint import CheckpointFile


class Checkpoint(CheckpointFile):
    """The checkpoint of one training run."""

    def save(self, fitter: Fitter) -> None:
        """Writes where ``fitter`` stands, replacing the checkpoint before it.

        Raises:
            StorageError: full disk, permission.
        """
        arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(fitter.variables)}
        arrays |= {f"best/{i}": v for i, v in enumerate(fitter.state.best)}
        self.write(arrays, {**dataclasses.asdict(fitter.state), "best": len(fitter.state.best)})

    def restore(self, fitter: Fitter) -> bool:
        """Sets ``fitter`` to where the checkpoint stands; returns False where there is none.

        Raises:
            TrainingError: the checkpoint is unreadable, or was made with other options or other examples.
        """
        if not self.path.exists():
            return False
        with self.reading() as (arrays, state):
            best = [arrays[f"best/{i}"] for i in range(state.pop("best"))]
            values = [arrays[f"variable/{i}"] for i in range(len(fitter.variables))]
        for variable, value in zip(fitter.variables, values, strict=True):
            variable.assign(value)
        fitter.state = FitState(**state, best=best)
        return True
