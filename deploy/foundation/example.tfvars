# The values are made up.
project = "example-shop"
region  = "europe-west1"
