variable "region" {
  description = "Region of the group."
  type        = string
}

variable "zones" {
  description = "Zones of the region that have the GPU; the first three are used."
  type        = list(string)
}

variable "domain" {
  description = "Name that the certificate is for; its DNS record must point to the output `address`."
  type        = string
}

variable "image" {
  description = "Image of the Dockerfile's target cuda."
  type        = string
}

variable "machine_type" {
  description = "Machine type; g2-* come with an L4."
  type        = string
}

variable "accelerator" {
  description = "GPU to attach where the machine type has none."
  type        = string
}

variable "service_account" {
  description = "E-mail of the account that the machines run as."
  type        = string
}

variable "network" {
  description = "The network."
  type        = string
}

variable "subnetwork" {
  description = "The subnetwork that machines take addresses from."
  type        = string
}

variable "topic" {
  description = "AUGURY_PUBSUB_TOPIC."
  type        = string
}

variable "archive" {
  description = "AUGURY_ARCHIVE: with a topic, only where tombstones are."
  type        = string
}

variable "registry" {
  description = "AUGURY_REGISTRY."
  type        = string
}

variable "settings" {
  description = "Further settings, AUGURY_... -> value."
  type        = map(string)
}

variable "secrets" {
  description = "Setting -> secret of its value."
  type        = map(string)
}

variable "redis_ca_secret" {
  description = "Secret of Redis's certificate authority."
  type        = string
}

variable "redis_ca_path" {
  description = "Where the container finds it."
  type        = string
}

variable "min_instances" {
  description = "Least machines."
  type        = number
}

variable "max_instances" {
  description = "Most machines."
  type        = number
}

variable "requests_per_second" {
  description = "What one machine answers at the latency that you promise; measure it."
  type        = number
}
