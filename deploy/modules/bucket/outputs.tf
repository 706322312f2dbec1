output "name" {
  description = "The bucket's name."
  value       = google_storage_bucket.this.name
}

output "url" {
  description = "gs:// and the name."
  value       = "gs://${google_storage_bucket.this.name}" # known before it exists
}
