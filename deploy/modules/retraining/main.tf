# Cloud Scheduler starts a workflow each week; the workflow runs the steps of deploy/workflows/retrain.json, each in a Cloud Run
# job (or the first on Dataflow), and tells how it ended.

locals {
  definition = jsondecode(file("${path.module}/../../workflows/retrain.json"))
  job        = "projects/${var.project}/locations/${var.region}/jobs/${google_cloud_run_v2_job.this.name}"

  # What augury retrain is told of the application (docs/retraining.md); what is not said stays as it is by default.
  app_name = "apps/${var.name}.toml"
  gates = var.thresholds == null ? [] : concat(
    ["[gates]"],
    var.thresholds.max_ece == null ? [] : ["max_ece = ${var.thresholds.max_ece}"],
    flatten([
      for table in ["at_least", "at_most", "margins"] : var.thresholds[table] == null ? [] : concat(
        ["[gates.${table}]"], [for metric, value in var.thresholds[table] : "${jsonencode(metric)} = ${value}"]
      )
    ]),
  )
  app = join("\n", concat(
    [
      "family = \"behavior\"",
      "name = ${jsonencode(split("/", var.model)[1])}",
      "archive = ${jsonencode("${var.work}/archive")}",
      "[window]",
      "days = ${var.days}",
      "[train]",
    ],
    [for name, value in var.training : "${name} = ${try(jsonencode(jsondecode(value)), jsonencode(value))}"],
    local.gates,
    [""],
  ))

  generator_params = { for name, value in var.generator_params : name => try(jsondecode(value), value) }
  constants = {
    TOMBSTONES = var.tombstones
    APP        = var.name
    APP_FILE   = "gs://${var.models_bucket}/${local.app_name}"
    EXAMPLES_OPTIONS = join(" ", concat(
      flatten([for name, value in var.examples : ["--${replace(name, "_", "-")}", value]]),
      flatten([for name, value in var.generator_params : ["-p", "${name}=${value}"]]),
    ))
  }

  # A parameter of the template is a constant, or begins with what only the run knows, as "$WORK/examples" does.
  known_by_the_run = ["$EVENTS", "$WORK", "$FIRST", "$TODAY"]
  parameters = merge(
    {
      for name, value in local.definition.steps[0].parameters :
      name => contains(local.known_by_the_run, split("/", value)[0])
      ? "$${${trimprefix(split("/", value)[0], "$")} + ${jsonencode(trimprefix(value, split("/", value)[0]))}}"
      : jsonencode(local.constants[trimprefix(value, "$")])
    },
    { for name, value in var.examples : name => jsonencode(value) },
    { generator_params = jsonencode(jsonencode(local.generator_params)), sdk_container_image = jsonencode(var.workers_image) },
  )
}

resource "google_cloud_run_v2_job" "this" {
  name                = "augury-retrain-${var.name}"
  location            = var.region
  deletion_protection = var.deletion_protection
  labels              = { app = "augury" }

  template {
    template {
      service_account       = var.training_account
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      timeout               = "${var.timeout_seconds}s"
      max_retries           = 0 # a step that was done half must not be done over by itself

      containers {
        image   = var.image
        command = ["sh", "-efc"]
        args    = ["echo 'started by the workflow ${var.name}, which says what to do' >&2; exit 2"]

        resources {
          limits = { cpu = tostring(var.cpu), memory = var.memory }
        }

        env {
          name  = "AUGURY_REGISTRY"
          value = var.registry
        }

        dynamic "env" {
          for_each = local.constants
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }
}

resource "google_storage_bucket_object" "app" {
  bucket  = var.models_bucket
  name    = local.app_name
  content = local.app
}

resource "google_cloud_run_v2_job_iam_member" "workflow" {
  name     = google_cloud_run_v2_job.this.name
  location = var.region
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = "serviceAccount:${var.workflow_account}"
}

resource "google_workflows_workflow" "this" {
  name                = "augury-retrain-${var.name}"
  region              = var.region
  description         = "Retrains ${var.model}: examples, training, golden set, gates, promotion"
  service_account     = var.workflow_account
  call_log_level      = "LOG_ERRORS_ONLY"
  deletion_protection = var.deletion_protection
  labels              = { app = "augury" }

  source_contents = templatefile("${path.module}/../../workflows/retrain.yaml.tftpl", {
    name             = var.name
    model            = var.model
    project          = var.project
    region           = var.region
    days             = var.days
    events           = var.events
    work             = var.work
    job              = local.job
    timeout_seconds  = var.timeout_seconds
    notices          = var.notices
    templates        = var.templates
    pipeline_account = var.pipeline_account
    subnetwork       = var.subnetwork
    machine_type     = var.machine_type
    max_workers      = var.max_workers
    steps = [
      for step in local.definition.steps : {
        name        = step.name
        commands    = step.commands
        template    = try(step.template, "")
        parameters  = local.parameters
        on_dataflow = var.on_dataflow && can(step.template)
      }
    ]
  })
}

resource "google_cloud_scheduler_job" "weekly" {
  name             = "augury-retrain-${var.name}"
  region           = var.region
  description      = "Starts the retraining of ${var.model}"
  schedule         = var.schedule
  time_zone        = var.time_zone
  attempt_deadline = "180s"
  paused           = var.paused

  retry_config {
    retry_count = 1
  }

  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/projects/${var.project}/locations/${var.region}/workflows/${google_workflows_workflow.this.name}/executions"
    body        = base64encode(jsonencode({ argument = "{}" }))
    headers     = { "Content-Type" = "application/json" }

    oauth_token {
      service_account_email = var.scheduler_account
    }
  }
}
