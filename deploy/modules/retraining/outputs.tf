output "workflow" {
  description = "Name of the workflow, to start it by hand: gcloud workflows run NAME."
  value       = google_workflows_workflow.this.name
}
