# Everything of one site. What may be left out (ingest, heatmaps, retraining) is a variable that is null or empty by default.

locals {
  redis_ca_path = "/etc/augury/redis/ca.pem"
  keys = {
    AUGURY_WRITE_KEYS = "augury-write-keys" # made, empty, by deploy/foundation
    AUGURY_ADMIN_KEYS = "augury-admin-keys"
  }
  archive   = module.events.url
  registry  = "${module.models.url}/registry"
  templates = "${module.work.url}/templates"
  events = !var.ingest ? "${module.events.url}/events" : format(
    "%s?from={first}&to={today}", module.warehouse.tables["events"],
  )
}

module "network" {
  source = "../modules/network"

  region = var.region
  range  = var.addresses
}

module "events" {
  source = "../modules/bucket"

  name                = "${var.project}-augury-events"
  location            = var.region
  purpose             = "events"
  deletion_protection = var.deletion_protection

  delete_after_days = {
    "events/"          = var.days.events
    "rejected/"        = var.days.logs
    "predictions/"     = var.days.logs
    "heatmaps/"        = var.days.logs
    "recommendations/" = var.days.logs
  }

  readers = { for name in ["pipelines", "training"] : name => local.members[name] }
}

# `augury examples` wants a folder of tombstones with something in it: nobody has this hash.
resource "google_storage_bucket_object" "nobody" {
  bucket  = module.events.name
  name    = "tombstones/nobody.jsonl"
  content = "{\"visitor\": \"00000000000000000000000000000000\", \"at_us\": 0}\n"
}

# The service writes tombstones, and nothing else, to this bucket.
resource "google_storage_bucket_iam_member" "tombstones" {
  bucket = module.events.name
  role   = "roles/storage.objectUser"
  member = local.members.service

  condition {
    title      = "tombstones-only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.project}-augury-events/objects/tombstones/\")"
  }
}

module "models" {
  source = "../modules/bucket"

  name                = "${var.project}-augury-models"
  location            = var.region
  purpose             = "models"
  versions_kept       = 100 # who was champion when
  undelete_days       = 30
  deletion_protection = var.deletion_protection
  readers             = { for name in ["service", "pipelines"] : name => local.members[name] } # pipelines: batch predictions
  writers             = { training = local.members.training }
}

module "work" {
  source = "../modules/bucket"

  name                = "${var.project}-augury-work"
  location            = var.region
  purpose             = "work"
  undelete_days       = 0
  deletion_protection = var.deletion_protection
  delete_after_days   = { "retrain/" = var.days.work }
  readers             = { workflow = local.members.workflow }
  writers             = { for name in ["pipelines", "training"] : name => local.members[name] }
}

module "warehouse" {
  source = "../modules/warehouse"

  dataset             = "augury"
  location            = var.region
  deletion_protection = var.deletion_protection
  readers             = { for name in ["pipelines", "training"] : name => local.members[name] }
  writers             = { pipelines = local.members.pipelines }
}

module "messages" {
  source = "../modules/messages"

  project_number = var.project_number
  region         = var.region
  bucket         = module.events.name
  ingested       = var.ingest
  ingest_member  = local.members.pipelines
  publishers     = { service = local.members.service }
}

module "store" {
  source = "../modules/store"

  region              = var.region
  network             = module.network.network
  tier                = var.store.tier
  memory_gb           = var.store.memory_gb
  ca_path             = local.redis_ca_path
  deletion_protection = var.deletion_protection
  readers             = { service = local.members.service }
}

module "service" {
  source = "../modules/service"

  region              = var.region
  image               = var.images.service
  service_account     = local.emails.service
  network             = module.network.network
  subnetwork          = module.network.subnetwork
  topic               = module.messages.topic
  archive             = local.archive
  registry            = local.registry
  settings            = var.service.settings
  write_keys_secret   = local.keys.AUGURY_WRITE_KEYS
  admin_keys_secret   = local.keys.AUGURY_ADMIN_KEYS
  redis_url_secret    = module.store.url_secret
  redis_ca_secret     = module.store.ca_secret
  redis_ca_path       = local.redis_ca_path
  cpu                 = var.service.cpu
  memory              = var.service.memory
  min_instances       = var.service.min_instances
  max_instances       = var.service.max_instances
  concurrency         = var.service.concurrency
  public              = var.service.public
  deletion_protection = var.deletion_protection

  depends_on = [google_secret_manager_secret_iam_member.keys, module.store] # its secrets can be read by then
}

module "heatmaps" {
  source = "../modules/heatmaps"
  count  = var.heatmaps == null ? 0 : 1

  region              = var.region
  zones               = var.heatmaps.zones
  domain              = var.heatmaps.domain
  image               = var.images.heatmaps
  machine_type        = var.heatmaps.machine_type
  accelerator         = var.heatmaps.accelerator
  service_account     = local.emails.service
  network             = module.network.network
  subnetwork          = module.network.subnetwork
  topic               = module.messages.topic
  archive             = local.archive
  registry            = local.registry
  settings            = var.heatmaps.settings
  secrets             = merge(local.keys, { REDIS_URL = "augury-redis-url" })
  redis_ca_secret     = "augury-redis-ca"
  redis_ca_path       = local.redis_ca_path
  min_instances       = var.heatmaps.min_instances
  max_instances       = var.heatmaps.max_instances
  requests_per_second = var.heatmaps.requests_per_second

  depends_on = [google_secret_manager_secret_iam_member.keys, module.store]
}

module "notices" {
  source = "../modules/notices"

  region                   = var.region
  emails                   = var.emails
  undelivered_subscription = module.messages.undelivered_subscription
}

module "retraining" {
  source   = "../modules/retraining"
  for_each = var.retraining

  name                = each.key
  project             = var.project
  region              = var.region
  model               = each.value.model
  events              = coalesce(each.value.events, local.events)
  days                = each.value.days
  tombstones          = "${module.events.url}/tombstones"
  examples            = merge(!var.ingest ? {} : { adapter = "canonical" }, each.value.examples)
  generator_params    = each.value.generator_params
  training            = each.value.training
  thresholds          = each.value.thresholds
  models_bucket       = module.models.name
  schedule            = each.value.schedule
  time_zone           = each.value.time_zone
  paused              = each.value.paused
  image               = var.images.training
  workers_image       = var.images.examples
  cpu                 = each.value.cpu
  memory              = each.value.memory
  timeout_seconds     = each.value.timeout_seconds
  registry            = local.registry
  work                = "${module.work.url}/retrain"
  on_dataflow         = each.value.on_dataflow
  templates           = local.templates
  subnetwork          = "projects/${var.project}/regions/${var.region}/subnetworks/augury-${var.region}"
  machine_type        = each.value.machine_type
  max_workers         = each.value.max_workers
  training_account    = local.emails.training
  pipeline_account    = local.emails.pipelines
  workflow_account    = local.emails.workflow
  scheduler_account   = local.emails.scheduler
  notices             = "projects/${var.project}/topics/${module.notices.topic_name}"
  deletion_protection = var.deletion_protection

  depends_on = [google_service_account.this]
}
