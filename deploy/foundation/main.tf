# What has to be there before the site: the APIs, a place for Terraform's state, a place for images. Its own state is small
# and can be kept on the disk; nothing in it is secret.

locals {
  apis = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "redis.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
  ])
}

resource "google_project_service" "api" {
  for_each = local.apis

  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

module "state" {
  source = "../modules/bucket"

  name                = "${var.project}-augury-state"
  location            = var.region
  purpose             = "terraform-state"
  versions_kept       = 20
  deletion_protection = var.deletion_protection

  depends_on = [google_project_service.api]
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "augury"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the service, of training and of the pipelines"

  docker_config {
    immutable_tags = true # what was tested under a tag is what runs under it
  }

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "drop-what-is-older"
    action = "DELETE"

    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.api]
}

# Empty: whoever runs the site puts the keys in, and they never pass through Terraform or its state.
resource "google_secret_manager_secret" "keys" {
  for_each = toset(["augury-write-keys", "augury-admin-keys"])

  secret_id = each.key
  labels    = { app = "augury" }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}
