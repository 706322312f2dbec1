"""The golden set of an attention model replayed through the service itself: an image over HTTP, its map as npy.

Whatever lies between a file and the map that a site looks at is in between: limits, safe decoding, letterbox or tiles,
the graph, the way back to the image's size. The bits of every map must be those that training promised.
"""

import io
import time
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from features.attention_spec import SPEC, AttentionSpec
from features.storage import read_text
from models.registry import Registry
from serving.attention.loaded import FAMILY
from serving.replaying import Asking, Verification, VerificationError, ask_all, replay_service

_AT_ONCE = 2
_SHOWN = 5


def verify(registry: str, name: str, version: str) -> Verification:
    """Replays a version's golden set through a service of its own, on a loopback port.

    Args:
        registry: its local folder or ``gs://`` URL.
        name: of the model, in the family ``attention``.
        version: by its whole name; it need not be the champion.

    Raises:
        VerificationError: the service does not answer as it should.
        RegistryError: there is no such version.
        GoldenError: its golden set is missing or damaged.
        IntegrityError: its files are not what was published.
    """
    from models.attention.golden import compare, read

    folder = Registry(registry).open_version(FAMILY, name, version)
    images = read(folder)
    spec = AttentionSpec.from_json(read_text(folder / SPEC))
    path = f"/v1/attention/heatmap?format=npy&model={quote(name)}&version={quote(version)}"
    requests = [Asking("POST", path, image.encoded, "application/octet-stream") for image in images]
    with replay_service(
        registry,
        f"{FAMILY}/{name}",
        heatmap_seconds=600.0,
        heatmap_max_bytes=max(1 << 20, *(len(image.encoded) for image in images)),
        heatmap_max_pixels=max(1 << 20, spec.width * spec.height),
        heatmap_images_mb=0,
    ) as service:
        began = time.perf_counter()
        answers = ask_all(service, f"{name} {version}", requests, _AT_ONCE)
        seconds = time.perf_counter() - began
    found = compare(images, map(_density, answers))
    return Verification(found.total, found.identical, found.differing[:_SHOWN], seconds)


def _density(answer: bytes) -> npt.NDArray[np.float32]:
    try:
        found: npt.NDArray[np.float32] = np.load(io.BytesIO(answer), allow_pickle=False)
    except (ValueError, EOFError, OSError) as e:
        raise VerificationError(f"the service answers with what is no npy file ({e!r})") from e
    return found
