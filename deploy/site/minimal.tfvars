# The least that collects and predicts. The values are made up.
project        = "example-shop"
project_number = "123456789012"
region         = "europe-west1"

images = {
  service = "europe-west1-docker.pkg.dev/example-shop/augury/service:0.1.0"
}

store = {
  tier      = "BASIC"
  memory_gb = 1
}
