output "topic" {
  description = "The topic's ID."
  value       = google_pubsub_topic.this.id
}

output "topic_name" {
  description = "The topic's name."
  value       = google_pubsub_topic.this.name
}
