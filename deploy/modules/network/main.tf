# One private network. Nothing in it has an address of its own on the Internet; Google's APIs are reached privately.

resource "google_compute_network" "this" {
  name                    = "augury"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  name                     = "augury-${var.region}"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = var.range
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

# Workers of one Dataflow job talk to each other where the shuffle is not the service's.
resource "google_compute_firewall" "dataflow" {
  name        = "augury-dataflow-workers"
  network     = google_compute_network.this.id
  description = "Between the workers of Dataflow"
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]
  priority    = 1000

  allow {
    protocol = "tcp"
    ports    = ["12345-12346"]
  }
}
