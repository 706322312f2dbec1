"""What a worker says of a stream that it cannot read; that it can is tested against an emulator, in tests/cloud."""

from typing import NoReturn

import pyarrow as pa
import pytest
from google.api_core import exceptions as api

from transforms.bigquery_clients import BigQueryError
from transforms.bigquery_streams import _batches, open_streams
from transforms.read_tasks import ReadTask, StreamTask

SCHEMA = pa.schema([pa.field("n", pa.int64())])
STREAM = StreamTask(path="bq://shop.web.events", streams=("s",), schema=SCHEMA.serialize().to_pybytes(), rows=1)


class _Refusing:
    """A client that answers every reading with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read_rows(self, name: str) -> NoReturn:
        raise self._error


def test_an_expired_session_is_told_with_its_remedy() -> None:
    client = _Refusing(api.FailedPrecondition("Session expired at 2026-01-31T06:00:00Z"))
    with pytest.raises(BigQueryError) as refused:
        list(_batches(client, STREAM.path, "s", SCHEMA))
    assert str(refused.value) == (
        "bq://shop.web.events: its reading session has expired, six hours after the start; read fewer days at once, or "
        "use more workers"
    )


def test_other_errors_of_a_stream_name_its_table() -> None:
    with pytest.raises(BigQueryError, match="bq://shop.web.events: not found"):
        list(_batches(_Refusing(api.NotFound("stream s")), STREAM.path, "s", SCHEMA))


def test_files_stay_as_they_are_and_need_no_client() -> None:
    tasks = [ReadTask("events.jsonl", "jsonl"), STREAM]
    assert open_streams(tasks, None) == tasks
