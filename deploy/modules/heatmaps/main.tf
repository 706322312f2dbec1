# Heatmaps on GPUs: a group of machines behind a balancer. They are the same service with the same keys, so that a page may ask
# either; what is collected here reaches the same topic and the same fast store.

locals {
  zones = slice(var.zones, 0, min(length(var.zones), 3))
  environment = merge(
    {
      AUGURY_PUBSUB_TOPIC    = var.topic
      AUGURY_ARCHIVE         = var.archive
      AUGURY_REGISTRY        = var.registry
      AUGURY_TRUSTED_PROXIES = "130.211.0.0/22,35.191.0.0/16"
    },
    var.settings,
  )
}

resource "google_compute_instance_template" "this" {
  name_prefix  = "augury-heatmaps-"
  machine_type = var.machine_type
  region       = var.region
  tags         = ["augury-heatmaps"]
  labels       = { app = "augury" }

  disk {
    boot         = true
    auto_delete  = true
    source_image = "projects/cos-cloud/global/images/family/cos-stable"
    disk_type    = "pd-balanced"
    disk_size_gb = 60
  }

  network_interface {
    subnetwork = var.subnetwork # and no access_config: no address on the Internet
  }

  # An accelerator of its own, for machine types that do not come with one as g2-* do.
  dynamic "guest_accelerator" {
    for_each = var.accelerator == null ? [] : [var.accelerator]
    content {
      type  = guest_accelerator.value
      count = 1
    }
  }

  scheduling {
    on_host_maintenance = "TERMINATE" # a machine with a GPU cannot move
    automatic_restart   = true
  }

  shielded_instance_config {
    enable_secure_boot          = false # the driver that COS installs is not signed for it
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  service_account {
    email  = var.service_account
    scopes = ["cloud-platform"] # what it may do, its roles say
  }

  metadata = {
    startup-script         = file("${path.module}/../../service/start-instance.sh")
    augury-image           = var.image
    augury-gpu             = "1"
    augury-environment     = join("\n", [for name, value in local.environment : "${name}=${value}"])
    augury-secrets         = join(" ", [for name, secret in var.secrets : "${name}=${secret}"])
    augury-redis-ca        = var.redis_ca_secret
    augury-redis-ca-path   = var.redis_ca_path
    block-project-ssh-keys = "true"
    enable-oslogin         = "true"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_health_check" "ready" {
  name                = "augury-heatmaps-ready"
  check_interval_sec  = 5
  timeout_sec         = 4
  unhealthy_threshold = 2

  http_health_check {
    port         = 8000
    request_path = "/readyz"
  }
}

resource "google_compute_health_check" "alive" {
  name                = "augury-heatmaps-alive"
  check_interval_sec  = 15
  timeout_sec         = 5
  unhealthy_threshold = 4

  http_health_check {
    port         = 8000
    request_path = "/healthz"
  }
}

resource "google_compute_region_instance_group_manager" "this" {
  name                      = "augury-heatmaps"
  region                    = var.region
  base_instance_name        = "augury-heatmaps"
  distribution_policy_zones = local.zones

  version {
    instance_template = google_compute_instance_template.this.id
  }

  named_port {
    name = "http"
    port = 8000
  }

  # Were the group to ask /readyz, an outage of Redis would have every machine replaced, again and again.
  auto_healing_policies {
    health_check      = google_compute_health_check.alive.id
    initial_delay_sec = 600
  }

  update_policy {
    type                  = "PROACTIVE"
    minimal_action        = "REPLACE"
    max_surge_fixed       = length(local.zones)
    max_unavailable_fixed = 0
  }
}

resource "google_compute_region_autoscaler" "this" {
  name   = "augury-heatmaps"
  region = var.region
  target = google_compute_region_instance_group_manager.this.id

  autoscaling_policy {
    min_replicas    = var.min_instances
    max_replicas    = var.max_instances
    cooldown_period = 600

    load_balancing_utilization {
      target = 0.7
    }
  }
}

# Only the balancer and its health checks reach the machines.
resource "google_compute_firewall" "balancer" {
  name          = "augury-heatmaps-balancer"
  network       = var.network
  description   = "From Google's load balancers and health checks"
  direction     = "INGRESS"
  source_ranges = ["130.211.0.0/22", "35.191.0.0/16"]
  target_tags   = ["augury-heatmaps"]

  allow {
    protocol = "tcp"
    ports    = ["8000"]
  }
}

resource "google_compute_backend_service" "this" {
  name                            = "augury-heatmaps"
  load_balancing_scheme           = "EXTERNAL_MANAGED"
  protocol                        = "HTTP"
  port_name                       = "http"
  timeout_sec                     = 40
  connection_draining_timeout_sec = 45
  health_checks                   = [google_compute_health_check.ready.id]

  backend {
    group                 = google_compute_region_instance_group_manager.this.instance_group
    balancing_mode        = "RATE"
    max_rate_per_instance = var.requests_per_second
  }

  log_config {
    enable      = true
    sample_rate = 0.01
  }
}

resource "google_compute_global_address" "this" {
  name = "augury-heatmaps"
}

resource "google_compute_managed_ssl_certificate" "this" {
  name = "augury-heatmaps"

  managed {
    domains = [var.domain]
  }
}

resource "google_compute_ssl_policy" "this" {
  name            = "augury-heatmaps"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_url_map" "this" {
  name            = "augury-heatmaps"
  default_service = google_compute_backend_service.this.id
}

resource "google_compute_target_https_proxy" "this" {
  name             = "augury-heatmaps"
  url_map          = google_compute_url_map.this.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
  ssl_policy       = google_compute_ssl_policy.this.id
}

resource "google_compute_global_forwarding_rule" "this" {
  name                  = "augury-heatmaps"
  target                = google_compute_target_https_proxy.this.id
  ip_address            = google_compute_global_address.this.id
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
