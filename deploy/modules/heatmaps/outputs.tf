output "address" {
  description = "What the domain's DNS record must name."
  value       = google_compute_global_address.this.address
}
