output "dataset" {
  description = "The data set's ID."
  value       = google_bigquery_dataset.this.dataset_id
}

output "tables" {
  description = "Name of a table -> bq:// URL, as the pipelines take it."
  value       = { for name, table in google_bigquery_table.table : name => "bq://${table.project}.${table.dataset_id}.${table.table_id}" }
}
