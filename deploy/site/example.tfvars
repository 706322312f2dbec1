# Everything on; take out what you do not want. The values are made up.
project        = "example-shop"
project_number = "123456789012"
region         = "europe-west1"

images = {
  service  = "europe-west1-docker.pkg.dev/example-shop/augury/service:0.1.0"
  training = "europe-west1-docker.pkg.dev/example-shop/augury/training:0.1.0"
  heatmaps = "europe-west1-docker.pkg.dev/example-shop/augury/heatmaps:0.1.0"
  examples = "europe-west1-docker.pkg.dev/example-shop/augury/behavior_examples:0.1.0"
}

service = {
  min_instances = 2
  settings = {
    AUGURY_CORS_ORIGINS = "https://www.example.org"
    AUGURY_LOG_LEVEL    = "warning"
  }
}

ingest = true

heatmaps = {
  domain   = "heatmaps.example.org"
  zones    = ["europe-west1-b", "europe-west1-c"]
  settings = { AUGURY_HEATMAP_URL_HOSTS = "www.example.org" }
}

retraining = {
  purchase = {
    model    = "behavior/purchase"
    examples = { generator = "purchase", gap_minutes = "30" }
    training = { encoder = "gru", units = "64" }
    thresholds = {
      max_ece  = 0.02
      at_least = { auc = 0.75 }
    }
  }
  soon = {
    model            = "behavior/purchase_soon"
    examples         = { generator = "purchase_points" }
    generator_params = { horizon_seconds = "3600" }
    schedule         = "0 5 * * 1"
    on_dataflow      = true
  }
}

emails = ["shop-data@example.org"]
