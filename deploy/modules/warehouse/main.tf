# The tables are those of features/tables: the pipelines and this module read the same files.

locals {
  folder = "${path.module}/../../../features/tables"
  tables = {
    for file in fileset(local.folder, "*.json") :
    trimsuffix(file, ".json") => jsondecode(file("${local.folder}/${file}"))
  }
}

resource "google_bigquery_dataset" "this" {
  dataset_id                 = var.dataset
  location                   = var.location
  description                = "Augury: archived events, logged predictions, dead letters"
  delete_contents_on_destroy = !var.deletion_protection
  labels                     = { app = "augury" }
}

resource "google_bigquery_table" "table" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.value.table
  description         = each.value.description
  schema              = jsonencode(each.value.schema)
  clustering          = each.value.clustering
  deletion_protection = var.deletion_protection
  labels              = { app = "augury" }

  time_partitioning {
    type          = each.value.partitioning.type
    field         = each.value.partitioning.field
    expiration_ms = each.value.expiration_days == null ? null : each.value.expiration_days * 86400000
  }
}

resource "google_bigquery_dataset_iam_member" "reader" {
  for_each = var.readers

  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value
}

resource "google_bigquery_table_iam_member" "writer" {
  for_each = { for pair in setproduct(keys(var.writers), keys(local.tables)) : "${pair[0]}-${pair[1]}" => pair }

  dataset_id = google_bigquery_dataset.this.dataset_id
  table_id   = google_bigquery_table.table[each.value[1]].table_id
  role       = "roles/bigquery.dataEditor"
  member     = var.writers[each.value[0]]
}
