"""Clients of BigQuery, imported when they are needed, and their failures as one line each.

Credentials are Google's application-default ones. ``BIGQUERY_EMULATOR_HOST`` (a URL) and
``BIGQUERY_STORAGE_EMULATOR_HOST`` (host:port) lead to an emulator instead; Google's own client knows the first.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from features.errors import AuguryError

_LOGIN = "log in with `gcloud auth application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS"

REACH_SECONDS = 60.0
"""How long a BigQuery that does not answer is asked again; Google's client would go on for ten minutes."""


class BigQueryError(AuguryError, OSError):
    """Something in BigQuery that is not there, may not be read, or failed."""


@contextmanager
def open_client(project: str, bills_caller: bool = False) -> Iterator[Any]:
    """Yields a client of BigQuery's REST API.

    Args:
        project: that is billed.
        bills_caller: bill the project of the credentials instead, if they have one: ``project`` may be somebody else's.

    Raises:
        BigQueryError: the client is not installed, or there are no credentials.
    """
    bigquery = _import("google.cloud.bigquery")
    with explained(f"project {project}"):
        credentials, own = _import("google.auth").default(scopes=bigquery.Client.SCOPE)
        client = bigquery.Client(project=own if own and bills_caller else project, credentials=credentials)
    with client:
        yield client


@contextmanager
def open_reader() -> Iterator[Any]:
    """Yields a client of the Storage Read API.

    Raises:
        BigQueryError: the client is not installed, or there are no credentials.
    """
    storage = _import("google.cloud.bigquery_storage_v1")
    emulator = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    with explained("BigQuery's Storage Read API"):
        if emulator:
            from google.cloud.bigquery_storage_v1.services.big_query_read import transports

            made = _import("grpc").insecure_channel(emulator, options=[("grpc.max_receive_message_length", -1)])
            client = storage.BigQueryReadClient(transport=transports.BigQueryReadGrpcTransport(channel=made))
        else:
            client = storage.BigQueryReadClient()
    with client:
        yield client


def tries() -> dict[str, Any]:
    """Returns how a client is to ask: until ``REACH_SECONDS`` are over."""
    return {"retry": _import("google.cloud.bigquery").DEFAULT_RETRY.with_timeout(REACH_SECONDS)}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns an error of Google's clients in the block into a ``BigQueryError`` about ``what``.

    Raises:
        BigQueryError: instead of the error.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    try:
        yield
    except (api.RetryError, ConnectionError) as e:
        cause = e.cause if isinstance(e, api.RetryError) else e
        raise BigQueryError(f"{what}: cannot be reached ({_line(cause or e)}); check the network") from e
    except auth.GoogleAuthError as e:
        raise BigQueryError(f"{what}: no credentials that count ({_line(e)}); {_LOGIN}") from e
    except api.Unauthenticated as e:
        raise BigQueryError(f"{what}: the credentials were refused ({_line(e)}); {_LOGIN}") from e
    except api.NotFound as e:
        raise BigQueryError(f"{what}: not found; check project, data set and table, and where the data set is") from e
    except api.Forbidden as e:
        raise BigQueryError(
            f"{what}: permission denied ({_line(e)}); reading needs the roles BigQuery Data Viewer, Read Session User "
            "and, for a query, Job User; writing needs Data Editor"
        ) from e
    except api.GoogleAPICallError as e:
        raise BigQueryError(f"{what}: BigQuery refused it ({_line(e)})") from e


def _line(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error)
    return " ".join(str(text).split())[:300]


def _import(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as e:
        raise BigQueryError(f"reading from BigQuery needs {name}; install the extra `pipelines`") from e
