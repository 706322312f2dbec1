# Who may do what. Roles are given on the bucket, the topic, the secret they are for; what Google gives only for a whole
# project is in `project_wide`, each with its reason, and a test keeps it from growing.

locals {
  accounts = {
    service   = "The service: collects, predicts, draws"
    pipelines = "Workers of Dataflow: make examples, archive the stream"
    training  = "Jobs of retraining: train, publish, verify, promote"
    workflow  = "The workflow of retraining: starts jobs, tells how they ended"
    scheduler = "The schedule: starts the workflow"
  }
  emails  = { for name in keys(local.accounts) : name => "augury-${name}@${var.project}.iam.gserviceaccount.com" }
  members = { for name, account in google_service_account.this : name => "serviceAccount:${account.email}" }

  project_wide = {
    "pipelines roles/dataflow.worker"          = "a worker asks Dataflow for its work; Google has no narrower form of it"
    "pipelines roles/bigquery.readSessionUser" = "reading a table's streams is billed to the project; which table, the data set says"
    "training roles/bigquery.readSessionUser"  = "the same, where the examples are made in the job"
    "pipelines roles/bigquery.jobUser"         = "queries and load jobs are the project's; which table, the data set says"
    "training roles/bigquery.jobUser"          = "the same, where the examples are made in the job"
    "scheduler roles/workflows.invoker"        = "Google has no narrower form of it"
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  account_id   = "augury-${each.key}"
  display_name = each.value
}

resource "google_project_iam_member" "pipelines" {
  for_each = local.project_wide

  project = var.project
  role    = split(" ", each.key)[1]
  member  = local.members[split(" ", each.key)[0]]
}

# What the workflow needs of a whole project, and no more: to launch a job, to look after it, to write its log.
resource "google_project_iam_custom_role" "workflow" {
  role_id     = "auguryRetrainingWorkflow"
  title       = "Augury: workflow of retraining"
  description = "Launch a Dataflow job and ask after it; ask after a run of a Cloud Run job; write its own log"
  permissions = [
    "dataflow.jobs.create",
    "dataflow.jobs.get",
    "logging.logEntries.create",
    "run.executions.get",
    "run.operations.get",
  ]
}

resource "google_project_iam_member" "workflow" {
  project = var.project
  role    = google_project_iam_custom_role.workflow.id
  member  = local.members.workflow
}

# To start something that runs as another account, one must be allowed to use that account: these two, and no others.
resource "google_service_account_iam_member" "workflow" {
  for_each = toset(["pipelines", "training"])

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.members.workflow
}

resource "google_pubsub_topic_iam_member" "notices" {
  topic  = module.notices.topic_name
  role   = "roles/pubsub.publisher"
  member = local.members.workflow
}

resource "google_secret_manager_secret_iam_member" "keys" {
  for_each = toset(values(local.keys))

  secret_id = "projects/${var.project}/secrets/${each.key}"
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members.service
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = toset(["pipelines", "service", "training"])

  location   = var.region
  repository = "augury" # deploy/foundation's
  role       = "roles/artifactregistry.reader"
  member     = local.members[each.key]
}
