"""deploy/service/start-instance.sh, run with stand-ins for what only a machine of Google Cloud has."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "service" / "start-instance.sh"
SECRETS = {
    "keys-env": "AUGURY_WORKERS=2\n",
    "augury-write-keys": "k1,k2",
    "augury-redis-ca": "-----BEGIN CERTIFICATE-----\nx\n",
}

# Answers as the metadata server and Secret Manager do, from a file; everything else only notes how it was called.
_CURL = (
    f"#!{sys.executable}"
    + """
import base64, json, pathlib, sys
known = json.loads(pathlib.Path(__file__).with_name("known.json").read_text())
url = sys.argv[-1]
if url.startswith("http://metadata.google.internal/computeMetadata/v1/"):
    key = url.split("/v1/")[1]
    if key not in known["metadata"]:
        sys.exit(22)
    sys.stdout.write(known["metadata"][key])
else:
    assert "Authorization: Bearer the-token" in sys.argv
    name = url.split("/secrets/")[1].split("/")[0]
    assert url == f"https://secretmanager.googleapis.com/v1/projects/p/secrets/{name}/versions/latest:access"
    if name not in known["secrets"]:
        sys.exit(22)
    print(json.dumps({"payload": {"data": base64.b64encode(known["secrets"][name].encode()).decode()}}, indent=2))
"""
)
_NOTED = (
    f"#!{sys.executable}"
    + """
import json, pathlib, sys
here = pathlib.Path(__file__)
with here.with_name("calls.jsonl").open("a") as file:
    file.write(json.dumps([here.name, *sys.argv[1:]]) + "\\n")
"""
)


def _run(tmp_path: Path, **attributes: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]], Path]:
    tools = tmp_path / "tools"
    run = tmp_path / "run"
    tools.mkdir()
    run.mkdir()
    for name in ("docker", "docker-credential-gcr", "cos-extensions", "mount"):
        (tools / name).write_text(_NOTED)
    (tools / "curl").write_text(_CURL)
    metadata = {f"instance/attributes/augury-{name.replace('_', '-')}": value for name, value in attributes.items()}
    metadata["project/project-id"] = "p"
    metadata["instance/service-accounts/default/token"] = '{"access_token":"the-token","expires_in":3599}'
    (tools / "known.json").write_text(json.dumps({"metadata": metadata, "secrets": SECRETS}))
    for path in tools.iterdir():
        path.chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "RUN_FOLDER": str(run)}
    done = subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True)
    calls = tools / "calls.jsonl"
    return done, [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else [], run


def test_settings_come_from_all_three_places_and_stay_root_s(tmp_path: Path) -> None:
    done, calls, run = _run(
        tmp_path,
        image="r-docker.pkg.dev/p/augury/heatmaps:1",
        gpu="1",
        settings="keys-env",
        environment="AUGURY_REGISTRY=gs://b/registry\nAUGURY_TRUSTED_PROXIES=35.191.0.0/16",
        secrets="AUGURY_WRITE_KEYS=augury-write-keys",
        redis_ca="augury-redis-ca",
        redis_ca_path="/etc/augury/redis/ca.pem",
    )
    assert (done.returncode, done.stderr) == (0, "")
    settings = run / "augury.env"
    assert settings.read_text().splitlines() == [
        "AUGURY_WORKERS=2",
        "AUGURY_REGISTRY=gs://b/registry",
        "AUGURY_TRUSTED_PROXIES=35.191.0.0/16",
        "AUGURY_WRITE_KEYS=k1,k2",
    ]
    assert settings.stat().st_mode & 0o777 == 0o600
    assert (run / "augury-redis-ca.pem").read_text() == SECRETS["augury-redis-ca"]
    assert [call[:2] for call in calls] == [
        ["docker-credential-gcr", "configure-docker"],
        ["cos-extensions", "install"],
        ["mount", "--bind"],
        ["mount", "-o"],
        ["docker", "pull"],
        ["docker", "rm"],
        ["docker", "run"],
    ]
    started = calls[-1]
    assert started[-1] == "r-docker.pkg.dev/p/augury/heatmaps:1"
    assert started[started.index("--env-file") + 1] == str(settings)
    assert f"{run}/augury-redis-ca.pem:/etc/augury/redis/ca.pem:ro" in started
    assert started.count("--device") == 3
    assert not any("k1" in word for call in calls for word in call)


def test_a_machine_without_a_gpu_or_redis_gets_neither(tmp_path: Path) -> None:
    done, calls, run = _run(tmp_path, image="i/x:1", environment="AUGURY_WORKERS=1")
    assert done.returncode == 0
    assert [call[0] for call in calls] == ["docker-credential-gcr", "docker", "docker", "docker"]
    assert "--device" not in calls[-1] and not (run / "augury-redis-ca.pem").exists()


def test_a_secret_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    done, calls, _ = _run(tmp_path, image="i/x:1", secrets="AUGURY_WRITE_KEYS=missing")
    assert done.returncode == 1
    assert done.stderr == "augury: the secret missing of project p could not be read\n"
    assert calls == []


def test_nothing_starts_without_an_image_or_settings(tmp_path: Path) -> None:
    done, calls, _ = _run(tmp_path, image="i/x:1")
    assert done.returncode == 1 and "needs the metadata augury-image, and settings" in done.stderr
    assert calls == []
