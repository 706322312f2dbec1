output "service_url" {
  description = "Where the service answers."
  value       = module.service.url
}

output "heatmaps_address" {
  description = "What the DNS record of heatmaps.domain must name; null without heatmaps."
  value       = one(module.heatmaps[*].address)
}

output "registry" {
  description = "The registry: `augury publish MODEL behavior/NAME --registry REGISTRY`."
  value       = local.registry
}

output "events" {
  description = "Where the archived events are, as `augury examples` takes them."
  value       = local.events
}

output "templates" {
  description = "Where Flex Templates are looked for."
  value       = local.templates
}

output "tables" {
  description = "The tables, as the pipelines take them."
  value       = module.warehouse.tables
}

output "workflows" {
  description = "Name -> workflow of retraining; by hand: gcloud workflows run WORKFLOW --location REGION."
  value       = { for name, one in module.retraining : name => one.workflow }
}

output "ingest_subscription" {
  description = "What the streaming pipeline reads; null where there is none."
  value       = module.messages.ingest_subscription
}
