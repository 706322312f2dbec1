"""The streaming ingest on a stream with copies, bad messages, late events and a watermark, on any engine.

``python -m tests.engines.stream_job FOLDER FLAGS``: what is archived, and the dead letters, are below the folder.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.testing.test_stream import TestStream

from pipelines.ingest_events import IngestOptions, build, runner_of
from pipelines.launch import beam_options, run_to_end
from tests.transforms.streams import add, at, clock, message, stream, track

VISITORS, ROUNDS = 40, 6
DEDUP_SECONDS = 300


def traffic() -> TestStream:
    """Every minute all visitors send something new, and a third of them what they had sent before.

    Copies come within the window of the memory, and once after it; a twentieth of the events happened hours ago; the
    watermark follows, so that memories expire by their timers.
    """
    found = stream()
    for minute in range(ROUNDS):
        second = 60 * minute
        new = [track(f"v{n}", f"m{minute}-{n}", second - (7200 if n % 20 == 7 else 1)) for n in range(VISITORS)]
        again = [track(f"v{n}", f"m{max(0, minute - 1)}-{n}", second) for n in range(0, VISITORS, 3)]
        bad = [message(b'{"type": "track", '), message({"type": "page", "messageId": f"nobody {minute}"})]
        found = add(found, second, *map(message, new), *map(message, new[:5]))
        found = add(found, second + 1, *map(message, again), *bad)
        found = found.advance_watermark_to(at(second + 30))
    found = found.advance_watermark_to(at(7000))  # all is forgotten
    return add(found, 7200, *[message(track(f"v{n}", f"m0-{n}", 7200, receivedAt=clock(7200))) for n in range(10)])


def run(folder: Path, flags: Sequence[str]) -> None:
    """Runs the pipeline on the traffic, to its end."""
    asked = IngestOptions(
        archive=str(folder / "archive"),
        dead_letter=str(folder / "letters"),
        subscription="projects/my-shop/subscriptions/received",
        recent_events=False,
        dedup_seconds=DEDUP_SECONDS,
    )
    options = beam_options(flags)
    options.view_as(StandardOptions).streaming = True
    pipeline = beam.Pipeline(runner=runner_of(options), options=options)
    # files wait for real seconds, of which a stream of a test has as many as it likes
    given = traffic().advance_processing_time(2e9).advance_watermark_to_infinity()
    messages = pipeline | "Traffic" >> given | beam.Map(lambda each: each).with_output_types(PubsubMessage)
    build(pipeline, asked, messages)
    run_to_end(pipeline)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
