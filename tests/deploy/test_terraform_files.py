"""What must hold of deploy/, whoever changes it: who may do what, what is public, what the schedule starts."""

import json
import re

import pytest

from serving.settings import Settings
from tests.deploy.terraform_files import DEPLOY, FOLDERS, ROOTS, blocks, named, read, values_of

SETTINGS = {f"AUGURY_{name.upper()}" for name in Settings.model_fields if name != "redis_url"} | {"REDIS_URL"}
# What Google gives only for a whole project, and to whom; a new line here is a decision.
PROJECT_WIDE = {
    "pipelines roles/dataflow.worker",
    "pipelines roles/bigquery.readSessionUser",
    "pipelines roles/bigquery.jobUser",
    "training roles/bigquery.readSessionUser",
    "training roles/bigquery.jobUser",
    "scheduler roles/workflows.invoker",
}
# Every role that is given on one resource.
ON_A_RESOURCE = {
    "roles/artifactregistry.reader",
    "roles/bigquery.dataEditor",
    "roles/bigquery.dataViewer",
    "roles/iam.serviceAccountUser",
    "roles/pubsub.publisher",
    "roles/pubsub.subscriber",
    "roles/pubsub.viewer",
    "roles/run.invoker",
    "roles/run.jobsExecutorWithOverrides",
    "roles/secretmanager.secretAccessor",
    "roles/storage.legacyBucketReader",
    "roles/storage.objectCreator",
    "roles/storage.objectUser",
    "roles/storage.objectViewer",
}


def text_of(folder: str) -> str:
    return "\n".join(path.read_text() for path in sorted((DEPLOY / folder).glob("*.tf")))


def test_nothing_is_looked_up_when_planning() -> None:
    assert blocks("data") == []
    assert "terraform_remote_state" not in "".join(text_of(str(folder.relative_to(DEPLOY))) for folder in FOLDERS)


def test_roles_are_members_of_one_resource_and_never_broad() -> None:
    iam = [block for block in blocks() if "_iam_" in block.type]
    assert len(iam) > 15
    # a binding or a policy would take away what others were given
    assert [block.where for block in iam if not block.type.endswith(("_iam_member", "_iam_custom_role"))] == []
    project = [
        block for block in iam if block.type.startswith(("google_project_", "google_organization", "google_folder"))
    ]
    assert {block.name for block in project} == {"pipelines", "workflow"}
    assert {block.type for block in project} == {"google_project_iam_member", "google_project_iam_custom_role"}
    given = {role for block in iam if block not in project for role in _roles(block.body)}
    assert given == ON_A_RESOURCE


def _roles(body: dict) -> set[str]:
    return set(re.findall(r"roles/[A-Za-z.]+", json.dumps(body)))


def test_what_is_given_for_the_whole_project_is_known_and_has_a_reason() -> None:
    (accounts,) = [local for local in read(DEPLOY / "site")["locals"] if "project_wide" in local]
    assert accounts["project_wide"].keys() == PROJECT_WIDE
    assert all(len(reason) > 20 for reason in accounts["project_wide"].values())
    roles = {role for text in map(text_of, ("site", "foundation")) for role in re.findall(r"roles/[A-Za-z.]+", text)}
    assert not {role for role in roles if re.search(r"(?i)owner|editor$|admin|roles/viewer", role)} - {
        "roles/bigquery.dataEditor"
    }
    (custom,) = blocks(type_pattern="google_project_iam_custom_role")
    assert custom.body["permissions"] == [
        "dataflow.jobs.create",
        "dataflow.jobs.get",
        "logging.logEntries.create",
        "run.executions.get",
        "run.operations.get",
    ]


def test_no_account_has_a_key_and_none_may_use_all_accounts() -> None:
    assert blocks(type_pattern="google_service_account_key") == []
    users = [block for block in blocks() if "roles/iam.serviceAccountUser" in _roles(block.body)]
    assert [(block.type, block.name) for block in users] == [("google_service_account_iam_member", "workflow")]
    assert users[0].body["for_each"] == '${toset(["pipelines", "training"])}'


def test_the_public_reaches_the_service_and_nothing_else() -> None:
    public = [block for block in blocks() if re.search(r"allUsers|allAuthenticatedUsers", json.dumps(block.body))]
    assert [(block.type, block.name) for block in public] == [("google_cloud_run_v2_service_iam_member", "public")]
    assert public[0].body["role"] == "roles/run.invoker"


def test_no_bucket_can_be_made_public() -> None:
    (bucket,) = blocks(type_pattern="google_storage_bucket")  # the module that all of them are of
    assert bucket.body["uniform_bucket_level_access"] is True
    assert bucket.body["public_access_prevention"] == "enforced"
    assert blocks(type_pattern="google_storage_(bucket_acl|bucket_access_control|object_acl|default_object_acl)") == []
    uses = {
        name for root in ROOTS for name, body in named(root, "module").items() if body["source"] == "../modules/bucket"
    }
    assert uses == {"state", "events", "models", "work"}
    assert named("site", "module")["models"]["versions_kept"] >= 10
    assert named("site", "module")["events"]["delete_after_days"].keys() == {
        *("events/", "rejected/", "predictions/", "heatmaps/", "recommendations/")
    }


def test_nothing_is_reached_from_the_internet_but_through_a_balancer() -> None:
    firewalls = blocks(type_pattern="google_compute_firewall")
    ranges = {block.name: block.body.get("source_ranges") for block in firewalls}
    assert ranges == {"balancer": ["130.211.0.0/22", "35.191.0.0/16"], "dataflow": None}
    assert all(block.body["target_tags"] for block in firewalls)
    assert list(values_of([block.body for block in blocks()], "access_config")) == []


def test_the_fast_store_is_what_its_guide_asks_for() -> None:
    (redis,) = blocks(type_pattern="google_redis_instance")
    assert redis.body["redis_configs"]["maxmemory-policy"] == "noeviction"
    assert redis.body["auth_enabled"] is True
    assert redis.body["transit_encryption_mode"] == "SERVER_AUTHENTICATION"
    assert "maxmemory-policy noeviction" in (DEPLOY.parent / "docs" / "fast-store.md").read_text()


def test_only_what_terraform_itself_makes_is_in_its_state() -> None:
    versions = blocks(type_pattern="google_secret_manager_secret_version")
    assert [(block.folder, block.name) for block in versions] == [("modules/store", "this")]
    secret = {
        body[name].strip("${}")
        for module in ("service", "heatmaps")
        for body in [named("site", "module")[module]]
        for name in body
        if name.endswith("_secret")
    }
    assert secret >= {"local.keys.AUGURY_WRITE_KEYS", "module.store.url_secret"}
    assert re.findall(r"(?i)\b(?:password|token|api_?key)\s*=", "".join(map(text_of, ("site", "foundation")))) == []


def test_the_schedule_starts_the_workflow_and_the_workflow_runs_the_definition() -> None:
    (job,) = blocks(type_pattern="google_cloud_scheduler_job")
    target = job.body["http_target"][0]
    assert target["uri"] == (
        "https://workflowexecutions.googleapis.com/v1/projects/${var.project}/locations/${var.region}/workflows/"
        "${google_workflows_workflow.this.name}/executions"
    )
    assert target["http_method"] == "POST"
    assert target["oauth_token"][0]["service_account_email"] == "${var.scheduler_account}"
    assert named("site", "module")["retraining"]["scheduler_account"] == "${local.emails.scheduler}"
    (workflow,) = blocks(type_pattern="google_workflows_workflow")
    assert "workflows/retrain.yaml.tftpl" in workflow.body["source_contents"]
    assert workflow.body["service_account"] == "${var.workflow_account}"
    assert "workflows/retrain.json" in json.dumps(read(DEPLOY / "modules" / "retraining")["locals"])
    weekly = re.search(r'schedule\s+= optional\(string, "([^"]+)"\)', text_of("site"))
    assert weekly is not None and re.fullmatch(r"\d+ \d+ \* \* [0-6]", weekly[1])


@pytest.mark.parametrize("root", ROOTS)
def test_what_holds_data_is_protected_unless_somebody_says_otherwise(root: str) -> None:
    assert named(root, "variable")["deletion_protection"]["default"] is True
    modules = named(root, "module")
    keeps = [name for name, body in modules.items() if "deletion_protection" in body]
    assert set(keeps) == (
        {"state"}
        if root == "foundation"
        else {"events", "models", "work", "warehouse", "store", "service", "retraining"}
    )
    assert {modules[name]["deletion_protection"] for name in keeps} == {"${var.deletion_protection}"}


def test_the_service_is_asked_what_it_answers() -> None:
    (service,) = blocks(type_pattern="google_cloud_run_v2_service")
    (container,) = service.body["template"][0]["containers"]
    paths = {
        probe: container[probe][0]["http_get"][0]["path"]
        for probe in ("startup_probe", "readiness_probe", "liveness_probe")
    }
    assert paths == {"startup_probe": "/readyz", "readiness_probe": "/readyz", "liveness_probe": "/healthz"}
    checks = {
        block.name: block.body["http_health_check"][0] for block in blocks(type_pattern="google_compute_health_check")
    }
    assert {name: check["request_path"] for name, check in checks.items()} == {"ready": "/readyz", "alive": "/healthz"}
    health = (DEPLOY.parent / "serving" / "health.py").read_text()
    assert all(f'"{path}"' in health for path in ("/readyz", "/healthz"))
    assert container["ports"][0]["container_port"] == 8000 == checks["ready"]["port"]


def test_every_setting_is_one() -> None:
    texts = "\n".join(
        text_of(folder) for folder in ("site", "modules/service", "modules/heatmaps", "modules/retraining")
    )
    texts += "\n".join(path.read_text() for path in DEPLOY.rglob("*.tfvars"))
    found = set(re.findall(r"\b(?:AUGURY_[A-Z_]+[A-Z]|REDIS_URL)\b", texts)) - {"AUGURY_"}
    assert len(found) > 8
    assert found <= SETTINGS


@pytest.mark.parametrize("folder", [str(path.relative_to(DEPLOY)) for path in FOLDERS])
def test_every_variable_and_output_is_described_typed_and_used(folder: str) -> None:
    variables = named(folder, "variable")
    text = "".join(path.read_text() for path in (DEPLOY / folder).glob("*.tf") if path.name != "variables.tf")
    for name, body in variables.items():
        assert len(body["description"]) > 10, name
        assert "type" in body, name
        assert re.search(rf"\bvar\.{name}\b", text), f"{folder}: {name} is never used"
    for name, body in named(folder, "output").items():
        assert len(body["description"]) > 10, name
    if folder in ROOTS:
        free = {"deletion_protection", "ingest"}  # a boolean is valid by its type
        assert {name for name, body in variables.items() if "validation" not in body} <= free


def test_a_module_is_given_what_it_declares() -> None:
    for root in ROOTS:
        for name, body in named(root, "module").items():
            declared = named(f"{root}/{body['source']}".replace(f"{root}/../", ""), "variable")
            given = body.keys() - {"source", "count", "for_each", "depends_on"}
            assert given <= declared.keys(), name
            assert {variable for variable, said in declared.items() if "default" not in said} <= given, name


def test_the_start_up_script_reads_the_metadata_that_the_group_has() -> None:
    (template,) = blocks(type_pattern="google_compute_instance_template")
    given = {name for name in template.body["metadata"] if name.startswith("augury-")}
    script = (DEPLOY / "service" / "start-instance.sh").read_text()
    read_there = set(re.findall(r"instance/attributes/(augury-[a-z-]+)", script))
    assert given == read_there - {"augury-settings"}
