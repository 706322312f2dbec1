output "network" {
  description = "The network's ID."
  value       = google_compute_network.this.id
}

output "subnetwork" {
  description = "The subnetwork's ID."
  value       = google_compute_subnetwork.this.id
}

output "range" {
  description = "The subnetwork's addresses."
  value       = google_compute_subnetwork.this.ip_cidr_range
}
