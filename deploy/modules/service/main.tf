# The service on Cloud Run: collection, predictions and recommendations. Machines come and go, so that events go to Pub/Sub
# and nothing is kept on a disk.

locals {
  plain = merge(
    {
      AUGURY_PUBSUB_TOPIC    = var.topic
      AUGURY_ARCHIVE         = var.archive
      AUGURY_REGISTRY        = var.registry
      AUGURY_TRUSTED_PROXIES = "169.254.0.0/16" # requests come from Cloud Run's own proxy beside the container
      AUGURY_WORKERS         = tostring(max(1, floor(var.cpu / 2)))
    },
    var.settings,
  )
  secret = {
    AUGURY_WRITE_KEYS = var.write_keys_secret
    AUGURY_ADMIN_KEYS = var.admin_keys_secret
    REDIS_URL         = var.redis_url_secret
  }
}

resource "google_cloud_run_v2_service" "this" {
  name                = "augury"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection
  labels              = { app = "augury" }

  template {
    service_account                  = var.service_account
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "60s"
    max_instance_request_concurrency = var.concurrency

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    vpc_access {
      egress = "PRIVATE_RANGES_ONLY"
      network_interfaces {
        network    = var.network
        subnetwork = var.subnetwork
      }
    }

    volumes {
      name = "redis-ca"
      secret {
        secret = var.redis_ca_secret
        items {
          version = "latest"
          path    = basename(var.redis_ca_path)
        }
      }
    }

    containers {
      image = var.image

      ports {
        container_port = 8000
      }

      resources {
        cpu_idle          = false # the registry is polled and logs are written between requests
        startup_cpu_boost = true
        limits            = { cpu = tostring(var.cpu), memory = var.memory }
      }

      dynamic "env" {
        for_each = local.plain
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secret
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }

      volume_mounts {
        name       = "redis-ca"
        mount_path = dirname(var.redis_ca_path)
      }

      # Ready: models, store and archive. Alive: the process answers. Asking an instance whether it is ready to decide
      # whether it lives would end all of them when Redis is away.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 60
        http_get {
          path = "/readyz"
          port = 8000
        }
      }

      readiness_probe {
        period_seconds    = 10
        timeout_seconds   = 4
        success_threshold = 1
        failure_threshold = 2
        http_get {
          path = "/readyz"
          port = 8000
        }
      }

      liveness_probe {
        period_seconds    = 15
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/healthz"
          port = 8000
        }
      }
    }
  }
}

# Pages of anybody send events; the service itself asks for a write key.
resource "google_cloud_run_v2_service_iam_member" "public" {
  count = var.public ? 1 : 0

  name     = google_cloud_run_v2_service.this.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}
