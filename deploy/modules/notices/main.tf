# What people are to hear of: a topic for programs, e-mail for people.

resource "google_pubsub_topic" "this" {
  name   = "augury-notices"
  labels = { app = "augury" }

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.emails)

  display_name = "Augury: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "undelivered" {
  display_name          = "Augury: messages could not be delivered"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = "something waits in ${var.undelivered_subscription}"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${var.undelivered_subscription}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "retraining" {
  display_name          = "Augury: a retraining failed or was refused by the gates"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = "an execution failed"

    condition_threshold {
      filter          = "resource.type = \"workflows.googleapis.com/Workflow\" AND metric.type = \"workflows.googleapis.com/finished_execution_count\" AND metric.labels.status = \"FAILED\" AND resource.labels.workflow_id = starts_with(\"augury-retrain-\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }
}
