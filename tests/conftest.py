"""What every test run shares: no network look-ups for cloud credentials, and property tests that repeat exactly."""

import json
import os
import shutil
import tempfile

import hypothesis
import pytest

# Nothing is drawn at random from run to run, and a slow machine fails no test.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

_CREDENTIALS = {
    "type": "authorized_user",
    "client_id": "fake",
    "client_secret": "fake",
    "refresh_token": "fake",
    "token": "fake-token",
    "expiry": "2999-01-01T00:00:00Z",
    "quota_project_id": "test-proj",
}


def pytest_configure(config: pytest.Config) -> None:
    """Gives Google's clients application-default credentials: without any they ask the network for 20 seconds."""
    folder = tempfile.mkdtemp(prefix="augury-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    path = os.path.join(folder, "credentials.json")
    with open(path, "w") as file:
        json.dump(_CREDENTIALS, file)
    os.environ.update(
        GOOGLE_APPLICATION_CREDENTIALS=path,
        GOOGLE_CLOUD_PROJECT="test-proj",
        GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT="false",
        TF_CPP_MIN_LOG_LEVEL="2",
    )
