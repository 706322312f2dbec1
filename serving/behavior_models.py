"""The family ``behavior`` on a shelf: how a version is loaded, and tried out before it may answer."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from features.recent_events import RecentRules, encode_events
from models.behavior.loaded import FAMILY, LoadedModel, load_model
from models.behavior.scoring import History, score
from models.cards import ModelError
from serving.models import Family

_SPOT_CHECK = 16


def behavior_family(rules: RecentRules | None = None) -> Family[LoadedModel]:
    """Returns the family.

    Args:
        rules: what the fast store keeps; a model in need of more is refused.
    """
    return Family(FAMILY, lambda folder, name, version: load_model(folder, name, version, rules), spot_check)


def spot_check(model: LoadedModel, folder: Path) -> None:
    """Has a model predict some instances of its golden set as it will be asked to.

    Raises:
        ModelError: a prediction is another than training computed.
        GoldenError: there is no golden set.
    """
    from models.behavior.golden import raw_events, read

    instances, promised = read(folder)
    instances, promised = instances.slice(0, _SPOT_CHECK), promised[:_SPOT_CHECK]
    names = pa.array([f"{index:06d}" for index in range(len(promised))])
    events = raw_events(instances, names)
    rows: list[list[bytes]] = [[] for _ in range(len(promised))]
    for owner, row in zip(events.column("anonymous_id").to_pylist(), encode_events(events), strict=True):
        rows[int(owner)].append(row)
    found = np.stack([each.probabilities for each in score(model, [History(each) for each in rows])])
    wrong = np.flatnonzero((found.view(np.uint32) != promised.view(np.uint32)).any(axis=1))
    if len(wrong):
        raise ModelError(
            f"{model.name} {model.version} gives other predictions than training computed in {len(wrong)} of "
            f"{len(promised)} golden instances; train again with this release"
        )
