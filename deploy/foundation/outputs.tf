output "state_bucket" {
  description = "Bucket for the state of deploy/site: terraform init -backend-config=bucket=..."
  value       = module.state.name
}

output "image_prefix" {
  description = "What the names of images begin with: docker push PREFIX/service:VERSION."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "image_repository" {
  description = "The repository's name, which deploy/site lets its accounts read."
  value       = google_artifact_registry_repository.images.id
}
