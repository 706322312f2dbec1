output "url_secret" {
  description = "Secret that holds REDIS_URL."
  value       = google_secret_manager_secret_version.this["augury-redis-url"].secret
}

output "ca_secret" {
  description = "Secret that holds the certificate authority."
  value       = google_secret_manager_secret_version.this["augury-redis-ca"].secret
}
