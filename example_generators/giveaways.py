"""How much one number alone, or the mere sight of one event, says about the label: rank statistics."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Giveaway:
    """A quantity that ranks instances by label.

    Attributes:
        auc: the area under the ROC curve, turned so that it is at least 0.5 (0.5 says nothing, 1 says all).
        noise: one standard deviation of the AUC of a quantity that knows nothing, for so many instances.
    """

    auc: float
    noise: float

    def exceeds(self, limit: float) -> bool:
        """Whether the AUC is at least ``limit`` and no accident of a small sample (over 3 standard deviations)."""
        return self.auc >= limit and self.auc - 0.5 > 3 * self.noise


def rank_auc(values: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> Giveaway:
    """Returns how well ``values`` (N,) rank each class against the rest, for the class where they do it best.

    The AUC is the Mann-Whitney statistic on midranks, U / (n1 n0), so ties count half; its standard deviation under
    independence is sqrt((n1 + n0 + 1) / (12 n1 n0)) (Mann and Whitney, 1947).
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]  # (N,) midranks from 1
    best = Giveaway(0.5, 0.5)
    for positive in np.unique(label):
        mine = label == positive
        n1, n0 = int(mine.sum()), int((~mine).sum())
        if n1 and n0:
            auc = (ranks[mine].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
            noise = float(np.sqrt((n1 + n0 + 1) / (12 * n1 * n0)))
            best = max(best, Giveaway(float(max(auc, 1 - auc)), noise), key=lambda g: (g.auc, -g.noise))
    return best


def telling_values(
    codes: npt.NDArray[np.int32], instance: npt.NDArray[np.int64], label: npt.NDArray[np.int64], limit: float
) -> list[tuple[int, float, float, Giveaway]]:
    """Returns the values whose mere presence among an instance's steps tells the label.

    Args:
        codes: (T,) the value at each step, -1 for none.
        instance: (T,) the instance, 0 to N - 1, that each step belongs to.
        label: (N,) class indices.
        limit: the AUC of presence to exceed.

    Returns:
        (value, share of the instances of the class that it tells that have it, share of the others that do, giveaway).
    """
    known = codes >= 0
    pairs = np.unique(np.stack((codes[known], instance[known])), axis=1) if known.any() else np.zeros((2, 0), np.int64)
    found = []
    for positive in np.unique(label):
        mine = label == positive
        n1, n0 = int(mine.sum()), int((~mine).sum())
        if not n1 or not n0:
            continue
        noise = float(np.sqrt((n1 + n0 + 1) / (12 * n1 * n0)))
        size = int(pairs[0].max(initial=-1)) + 1
        hits = np.bincount(pairs[0][mine[pairs[1]]], minlength=size) / n1
        others = np.bincount(pairs[0][~mine[pairs[1]]], minlength=size) / n0
        for value in np.flatnonzero(hits - others >= 2 * limit - 1):
            giveaway = Giveaway(float(0.5 + (hits[value] - others[value]) / 2), noise)
            if giveaway.exceeds(limit):
                found.append((int(value), float(hits[value]), float(others[value]), giveaway))
    return found
