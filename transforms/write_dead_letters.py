"""Writes dead letters to a folder, a Pub/Sub topic or a BigQuery table."""

import re
from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.gcp.pubsub import PubsubMessage, WriteToPubSub

from features.tables import load_table
from transforms.bigquery_rows import WriteRows
from transforms.tally import count
from transforms.write_partitions import WritePartitions

_TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")


class WriteDeadLetters(beam.PTransform):
    """``RecordBatch`` in ``DEAD_LETTER_SCHEMA`` -> nothing to go on with, having written every row with its reason.

    Args:
        target: ``projects/P/topics/T`` (the row is the message, ``reason`` and ``source`` its attributes),
            ``bq://project.dataset.table``, or a folder, which gets hourly partitions of Parquet.
        wait_seconds: how long a file in a folder waits for more.
    """

    def __init__(self, target: str, wait_seconds: float) -> None:
        super().__init__()
        self._target = target
        self._wait_seconds = wait_seconds

    def expand(self, letters: beam.PCollection) -> beam.PCollection:
        if is_topic(self._target):
            messages = letters | "MessageOfLetter" >> beam.FlatMap(_messages).with_output_types(PubsubMessage)
            return messages | "PublishLetters" >> WriteToPubSub(self._target, with_attributes=True)
        if self._target.startswith("bq://"):
            return letters | "InsertLetters" >> WriteRows(self._target, load_table("dead_letters"), kind="dead_letter")
        return letters | "WriteLetters" >> WritePartitions(
            self._target, wait_seconds=self._wait_seconds, kind="dead_letter"
        )


def is_topic(target: str) -> bool:
    """Says whether a target is a Pub/Sub topic."""
    return _TOPIC.fullmatch(target) is not None


def _messages(letters: pa.RecordBatch) -> Iterator[PubsubMessage]:
    count("dead_letter", {"rows": letters.num_rows})
    for letter in letters.to_pylist():
        attributes = {"reason": letter["reason"], "source": letter["source"] or ""}
        yield PubsubMessage((letter["row"] or "").encode(), attributes)
