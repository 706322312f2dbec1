variable "region" {
  description = "Region of the service."
  type        = string
}

variable "image" {
  description = "Image of the Dockerfile's target cpu."
  type        = string
}

variable "service_account" {
  description = "E-mail of the account that it runs as."
  type        = string
}

variable "network" {
  description = "The network that Redis is in."
  type        = string
}

variable "subnetwork" {
  description = "The subnetwork that instances take addresses from."
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

variable "write_keys_secret" {
  description = "Secret of AUGURY_WRITE_KEYS."
  type        = string
}

variable "admin_keys_secret" {
  description = "Secret of AUGURY_ADMIN_KEYS."
  type        = string
}

variable "redis_url_secret" {
  description = "Secret of REDIS_URL."
  type        = string
}

variable "redis_ca_secret" {
  description = "Secret of Redis's certificate authority."
  type        = string
}

variable "redis_ca_path" {
  description = "Where that is mounted, in a folder of its own."
  type        = string
}

variable "cpu" {
  description = "Processors of an instance."
  type        = number
}

variable "memory" {
  description = "Memory of an instance, such as 4Gi."
  type        = string
}

variable "min_instances" {
  description = "Instances that always run; they are paid for always."
  type        = number
}

variable "max_instances" {
  description = "Most instances."
  type        = number
}

variable "concurrency" {
  description = "Requests that an instance is sent at once."
  type        = number
}

variable "public" {
  description = "Whether anybody may send requests; the service asks for keys either way."
  type        = bool
}

variable "deletion_protection" {
  description = "Refuse to destroy the service."
  type        = bool
}
