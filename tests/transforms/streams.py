"""Streams for tests: messages as Pub/Sub hands them over, at times of the test's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

NOON_US = 1_785_585_600_000_000
"""2026-08-01T12:00:00Z."""

SECOND_US = 1_000_000


def at(second: float) -> Timestamp:
    """Noon and so many seconds."""
    return Timestamp(micros=NOON_US + round(second * SECOND_US))


def clock(second: float) -> str:
    """The same as ISO 8601."""
    return at(second).to_utc_datetime().isoformat(timespec="milliseconds") + "Z"


def track(visitor: str, message: str, second: float, **more: Any) -> dict[str, Any]:
    """A received ``track`` call that happened at noon and so many seconds."""
    call = {"type": "track", "event": "Product Viewed", "anonymousId": visitor, "messageId": message}
    return {**call, "timestamp": clock(second), **more}


def message(content: Any, **attributes: str) -> PubsubMessage:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return PubsubMessage(data, attributes)


def stream() -> TestStream:
    """An empty stream whose watermark stands before noon."""
    return TestStream().advance_watermark_to(at(-86_400))


def add(test_stream: TestStream, second: float, *values: Any) -> TestStream:
    """Adds values that were received at noon and so many seconds."""
    return test_stream.add_elements([TimestampedValue(value, at(second)) for value in values])


def run_stream(test_stream: TestStream, build: Callable[[beam.PCollection], Any]) -> beam.runners.runner.PipelineResult:
    """Runs what ``build`` makes of the stream to its end, on the runner that can stream."""
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(["--streaming"]))
    build(pipeline | "Stream" >> test_stream.advance_watermark_to_infinity())
    result = pipeline.run()
    result.wait_until_finish()
    return result


def rows_below(folder: Path) -> list[dict[str, Any]]:
    """All rows of the Parquet files below a folder, each with the partition that it lies in."""
    return [
        {**row, "partition": str(path.parent.relative_to(folder))}
        for path in sorted(folder.rglob("*.parquet"))
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
