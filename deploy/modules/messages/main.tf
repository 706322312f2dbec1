# The service publishes what it receives and answers to one topic; each stream of it, told by the attribute `stream`, has a
# subscription that Pub/Sub itself writes to the bucket. Nothing runs for that, and nothing is lost while anything is down.

locals {
  written = toset(concat(
    ["rejected", "predictions", "heatmaps", "recommendations"],
    var.ingested ? [] : ["events"], # a pipeline archives them then
  ))
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "received" {
  name                       = "augury-received"
  message_retention_duration = "604800s" # a week: a subscription can be set back to before a fault
  labels                     = { app = "augury" }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic" "undelivered" {
  name                       = "augury-undelivered"
  message_retention_duration = "604800s"
  labels                     = { app = "augury" }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "written" {
  for_each = local.written

  name                       = "augury-${each.key}-to-storage"
  topic                      = google_pubsub_topic.received.id
  filter                     = "attributes.stream = \"${each.key}\""
  message_retention_duration = "604800s"
  ack_deadline_seconds       = 300
  labels                     = { app = "augury" }

  cloud_storage_config {
    bucket                   = var.bucket
    filename_prefix          = "${each.key}/"
    filename_suffix          = ".jsonl"
    filename_datetime_format = "YYYY/MM/DD/hh_mm_ssZ"
    max_duration             = "${var.file_seconds}s"
    max_bytes                = 1000000000
  }

  expiration_policy {
    ttl = "" # never: a quiet site is no reason to forget it
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 20
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  depends_on = [google_storage_bucket_iam_member.agent, google_pubsub_topic_iam_member.agent]
}

# For the streaming pipeline. It has no dead-letter topic: Dataflow hands messages back for reasons of its own, and what is
# bad the pipeline itself puts aside.
resource "google_pubsub_subscription" "ingest" {
  count = var.ingested ? 1 : 0

  name                       = "augury-events-to-ingest"
  topic                      = google_pubsub_topic.received.id
  filter                     = "attributes.stream = \"events\""
  message_retention_duration = "604800s"
  ack_deadline_seconds       = 600
  labels                     = { app = "augury" }

  expiration_policy {
    ttl = ""
  }
}

# What could not be delivered waits here for somebody to look; an alert says that it does.
resource "google_pubsub_subscription" "undelivered" {
  name                       = "augury-undelivered-to-look-at"
  topic                      = google_pubsub_topic.undelivered.id
  message_retention_duration = "604800s"
  ack_deadline_seconds       = 60
  labels                     = { app = "augury" }

  expiration_policy {
    ttl = ""
  }
}

resource "google_storage_bucket_iam_member" "agent" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.legacyBucketReader"])

  bucket = var.bucket
  role   = each.key
  member = local.agent
}

resource "google_pubsub_topic_iam_member" "agent" {
  topic  = google_pubsub_topic.undelivered.name
  role   = "roles/pubsub.publisher"
  member = local.agent
}

resource "google_pubsub_subscription_iam_member" "agent" {
  for_each = google_pubsub_subscription.written

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.publishers

  topic  = google_pubsub_topic.received.name
  role   = "roles/pubsub.publisher"
  member = each.value
}

resource "google_pubsub_subscription_iam_member" "ingest" {
  for_each = var.ingested ? { subscriber = "roles/pubsub.subscriber", viewer = "roles/pubsub.viewer" } : {}

  subscription = google_pubsub_subscription.ingest[0].name
  role         = each.value
  member       = var.ingest_member
}
