"""A Beam plugin for tests: points Beam's own clients of BigQuery and Cloud Storage at the emulators.

Import it, and give Beam ``--beam_plugins=tests.beam_emulators``, so that every worker does. Beam has no options for it;
our own source needs none of this. The variables are ``BIGQUERY_EMULATOR_HOST``, ``BIGQUERY_STORAGE_EMULATOR_HOST`` and
``STORAGE_EMULATOR_HOST``.
"""

import os
from itertools import count
from typing import Any

import google.cloud.bigquery_storage_v1 as storage_api
from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
from google.cloud.storage import batch

_real_reader = storage_api.BigQueryReadClient
_RealPart = batch.MIMEApplicationHTTP
_numbers = count(1)


def _reader(*given: Any, **named: Any) -> Any:
    address = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if not address or given or named:
        return _real_reader(*given, **named)
    import grpc
    from google.cloud.bigquery_storage_v1.services.big_query_read import transports

    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    return _real_reader(transport=transports.BigQueryReadGrpcTransport(channel=channel))


class _NumberedPart(_RealPart):
    """A part of a batch with a Content-ID, without which the storage emulator cannot say which answer is whose."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self["Content-ID"] = f"<part+{next(_numbers)}>"


def install() -> None:
    """Does it, for the emulators that the variables name now; importing this module calls it."""
    if "BIGQUERY_EMULATOR_HOST" in os.environ:
        BigqueryV2.BASE_URL = f"{os.environ['BIGQUERY_EMULATOR_HOST']}/bigquery/v2/"
        storage_api.BigQueryReadClient = _reader
    if "STORAGE_EMULATOR_HOST" in os.environ:
        batch.MIMEApplicationHTTP = _NumberedPart


install()
