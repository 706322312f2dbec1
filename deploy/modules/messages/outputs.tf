output "topic" {
  description = "The topic that the service publishes to, as AUGURY_PUBSUB_TOPIC wants it."
  value       = google_pubsub_topic.received.id
}

output "ingest_subscription" {
  description = "Subscription of the streaming pipeline; null where there is none."
  value       = one(google_pubsub_subscription.ingest[*].id)
}

output "undelivered_subscription" {
  description = "Where what could not be delivered waits."
  value       = google_pubsub_subscription.undelivered.name
}
