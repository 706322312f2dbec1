"""Images of creative examples to a recogniser's vectors: records streamed, asked by Beam's RunInference, one file each.

Nothing is shuffled but the names of files: an image goes from its record to its vectors and to a row of Parquet within
one worker, so memory does not depend on how many there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import apache_beam as beam
import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics import Metrics
from apache_beam.utils.windowed_value import WindowedValue

from features.errors import AuguryError
from features.storage import explained, open_atomic, open_filesystem
from transforms.run_inference import ModelHandler, RunInference
from transforms.tally import NAMESPACE
from transforms.tfrecords import read_texts
from transforms.worker_sizes import ASKS_NETWORK, sized

EMBEDDINGS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("variant", pa.string()),
        ("image_id", pa.string()),
        ("logits", pa.list_(pa.float32())),
        ("features", pa.list_(pa.float32())),
    ]
)
"""A row an image."""

MOST_ROWS = 8192
"""Of a file; a row has some 8 kB with the features of a ResNet50."""

_FEATURES = ("image/encoded", "product", "variant", "image/id")


class EmbeddingError(AuguryError, ValueError):
    """Examples that cannot be embedded."""


class Vectors(Protocol):
    """What a recogniser says of B images: float32 (B, V) and (B, D)."""

    @property
    def logits(self) -> npt.NDArray[np.float32]: ...
    @property
    def features(self) -> npt.NDArray[np.float32]: ...


class Recognizer(Protocol):
    """What is asked; models.creative.recognizer has one."""

    def embed(self, images: npt.NDArray[np.uint8]) -> Vectors: ...


class Loader(Protocol):
    """Loads the recogniser in each worker; it must be picklable."""

    def __call__(self) -> Recognizer: ...


class ExamplesFile(NamedTuple):
    """A file of examples: its place among those of all splits, its split and its path."""

    number: int
    split: str
    path: str


class StoredImage(NamedTuple):
    """One record: its file, its place in that, what it is, and the image, still encoded."""

    file: int
    split: str
    row: int
    product: str
    variant: str
    image_id: str
    encoded: bytes


class Embedded(NamedTuple):
    """The vectors of one record: float32 (V,) and (D,)."""

    image: StoredImage
    logits: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Written:
    """A Parquet file that is whole: its name within its split's folder, and its rows."""

    split: str
    name: str
    rows: int


class EmbedImages(beam.PTransform):
    """``ExamplesFile`` -> ``Written``: one or more a file.

    Args:
        load: loads the recogniser.
        output: folder to write to; a folder a split is made in it.
        batch_size: the most images that the recogniser is given at once.
        flush: wait until the disk holds each file.
    """

    def __init__(self, load: Loader, output: str, batch_size: int, *, flush: bool) -> None:
        super().__init__()
        self._handler = RecognizerHandler(load, batch_size)
        self._writer = _WriteEmbeddings(output, flush)

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        return (
            files
            | "ReadImages" >> sized(beam.ParDo(_ReadImages()), files, ASKS_NETWORK)
            | "Embed" >> sized(RunInference(self._handler), files, ASKS_NETWORK)
            | "WriteEmbeddings" >> sized(beam.ParDo(self._writer), files, ASKS_NETWORK)
        )


class RecognizerHandler(ModelHandler[StoredImage, Embedded, Recognizer]):
    """Lets RunInference ask a recogniser.

    Args:
        load: loads it.
        batch_size: the most images a call.
    """

    def __init__(self, load: Loader, batch_size: int) -> None:
        # Of one size: Beam would else look for the best one by a regression, and warn when that is ill-conditioned.
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._load = load

    def load_model(self) -> Recognizer:
        """Loads the recogniser, once a worker."""
        cv2.setNumThreads(1)
        return self._load()

    def run_inference(
        self, batch: Sequence[StoredImage], model: Recognizer, inference_args: Mapping[str, Any] | None = None
    ) -> Iterable[Embedded]:
        """Yields the vectors of every image of a batch, in order.

        Raises:
            EmbeddingError: an image cannot be decoded.
        """
        vectors = model.embed(np.stack([decode(image) for image in batch]))
        return [Embedded(*row) for row in zip(batch, vectors.logits, vectors.features, strict=True)]

    def get_num_bytes(self, batch: Sequence[StoredImage]) -> int:
        """Returns the size of a batch, bytes, for Beam's metrics."""
        return sum(len(image.encoded) for image in batch)

    def get_metrics_namespace(self) -> str:
        """Returns the namespace of RunInference's metrics."""
        return NAMESPACE


def decode(image: StoredImage) -> npt.NDArray[np.uint8]:
    """Returns an image of the examples, uint8 (H, W, 3) RGB.

    Raises:
        EmbeddingError: it cannot be decoded.
    """
    found = cv2.imdecode(np.frombuffer(image.encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if found is None:
        raise EmbeddingError(f"{image.variant} of {image.product} cannot be decoded; write the examples again")
    return found  # type: ignore[return-value]


class _ReadImages(beam.DoFn):
    def process(self, element: ExamplesFile) -> Iterator[StoredImage]:
        fs, target = open_filesystem(element.path)
        with explained(element.path, "read", body=True), fs.open(target, "rb", compression="infer") as file:
            for row, (encoded, *texts) in enumerate(read_texts(file, _FEATURES, element.path)):
                product, variant, image_id = (text.decode() for text in texts)
                yield StoredImage(element.number, element.split, row, product, variant, image_id, encoded)
                Metrics.counter(NAMESPACE, "read/images").inc()


class _WriteEmbeddings(beam.DoFn):
    """Writes a file's rows together; its name tells which they are, so that a retry writes the same again."""

    def __init__(self, output: str, flush: bool) -> None:
        self._output = output
        self._flush = flush
        self._rows: list[Embedded] = []

    def start_bundle(self) -> None:
        self._rows = []

    def process(self, element: Embedded) -> Iterator[Written]:
        if self._rows and (element.image.file != self._rows[0].image.file or len(self._rows) >= MOST_ROWS):
            yield self._write()
        self._rows.append(element)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._rows:
            yield beam.transforms.window.GlobalWindows.windowed_value(self._write())

    def _write(self) -> Written:
        rows, self._rows = self._rows, []
        first = rows[0].image
        name = f"embeddings-{first.file:05d}-{first.row:08d}.parquet"
        texts = {key: [getattr(row.image, key) for row in rows] for key in ("product", "variant", "image_id")}
        vectors = {key: _lists(np.stack([getattr(row, key) for row in rows])) for key in ("logits", "features")}
        with open_atomic(f"{self._output}/{first.split}/{name}", flush=self._flush) as file:
            pq.write_table(pa.table({**texts, **vectors}, schema=EMBEDDINGS_SCHEMA), file, compression="zstd")
        Metrics.counter(NAMESPACE, "kept/embeddings").inc(len(rows))
        return Written(first.split, name, len(rows))


def _lists(values: npt.NDArray[np.float32]) -> pa.Array:
    """Returns float32 (N, K) as N lists."""
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))
