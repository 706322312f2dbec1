"""Credentials of Google's clients for emulators: complete, and worth nothing."""

import json
from pathlib import Path

_CREDENTIALS = {
    "type": "authorized_user",
    "client_id": "fake",
    "client_secret": "fake",
    "refresh_token": "fake",
    "token": "fake-token",
    "expiry": "2999-01-01T00:00:00Z",
    "quota_project_id": "test-proj",
}


def fake_credentials(folder: Path) -> dict[str, str]:
    """Writes credentials and returns the variables with which clients find them and ask no network for others."""
    path = folder / "credentials.json"
    path.write_text(json.dumps(_CREDENTIALS))
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(path),
        "GOOGLE_CLOUD_PROJECT": "test-proj",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
