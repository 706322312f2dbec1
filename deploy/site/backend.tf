# The bucket is deploy/foundation's output `state_bucket`: terraform init -backend-config=bucket=NAME
terraform {
  backend "gcs" {
    prefix = "site"
  }
}
