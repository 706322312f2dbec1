"""The golden set of a creative model replayed through the service itself: a photo over HTTP, its rates as JSON.

Whatever lies between a file and the rates that a site acts on is in between: limits, safe decoding, variants, the
recogniser, the trees, JSON. The bits of every rate and interval must be those that training promised.
"""

import time
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import orjson

from models.registry import Registry
from serving.creative.loaded import FAMILY
from serving.replaying import Asking, Verification, VerificationError, ask_all, replay_service

_AT_ONCE = 2
_SHOWN = 5


def verify(registry: str, name: str, version: str) -> Verification:
    """Replays a version's golden set through a service of its own, on a loopback port.

    Args:
        registry: its local folder or ``gs://`` URL.
        name: of the model, in the family ``creative``.
        version: by its whole name; it need not be the champion.

    Raises:
        VerificationError: the service does not answer as it should.
        RegistryError: there is no such version.
        GoldenError: its golden set is missing or damaged.
        PredictorError, IntegrityError: its files are not what was published, or no model.
    """
    from models.creative.conversion.golden import GoldenPhoto, read, same
    from models.creative.predictor import CreativeModel

    folder = Registry(registry).open_version(FAMILY, name, version)
    model = CreativeModel.load(folder)
    photos = read(folder, model)

    def asking(photo: GoldenPhoto, target: str) -> Asking:
        campaign = {"shoe_type" if key == "kind" else key: value for key, value in photo.campaign.items()}
        query = {"target": target, "model": name, "version": version, "images": "false", "alternates": 0, **campaign}
        path = f"/v1/creative/recommend?{urlencode(query)}"
        return Asking("POST", path, photo.encoded, "application/octet-stream")

    requests = [asking(photo, target) for photo in photos for target in model.targets]
    size = model.spec.width * model.spec.height
    with replay_service(
        registry,
        f"{FAMILY}/{name}",
        recommend_seconds=600.0,
        recommend_rules=None,
        recommend_max_distance=None,
        heatmap_max_bytes=max(1 << 20, *(len(photo.encoded) for photo in photos)),
        heatmap_max_pixels=max(1 << 20, size),
    ) as service:
        began = time.perf_counter()
        answers = [_rates(answer) for answer in ask_all(service, f"{name} {version}", requests, _AT_ONCE)]
        seconds = time.perf_counter() - began
    each = len(model.targets)
    found = [np.stack(answers[start : start + each]) for start in range(0, len(answers), each)]
    differing = [photo.name for photo, rates in zip(photos, found, strict=True) if not same(photo, rates)]
    return Verification(len(photos), len(photos) - len(differing), tuple(differing[:_SHOWN]), seconds)


def _rates(answer: bytes) -> npt.NDArray[np.float64]:
    """Returns the rates of all variants, float64 (V, 3)."""
    try:
        variants: list[dict[str, Any]] = orjson.loads(answer)["variants"]
        return np.array([[each[name] for name in ("probability", "low", "high")] for each in variants], np.float64)
    except (ValueError, KeyError, TypeError) as e:
        raise VerificationError(f"the service answers with what are no rates ({e!r})") from e
