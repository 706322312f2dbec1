variable "region" {
  description = "Region of the instance and of its secrets."
  type        = string
}

variable "network" {
  description = "The network that may connect."
  type        = string
}

variable "tier" {
  description = "BASIC (one machine; its loss empties the store) or STANDARD_HA (a replica takes over)."
  type        = string
}

variable "memory_gb" {
  description = "Memory in GB; a fifth of it stays free for the server's own work."
  type        = number
}

variable "ca_path" {
  description = "Where the service finds the certificate authority; the URL names it."
  type        = string
}

variable "readers" {
  description = "Any name -> member that may read the secrets."
  type        = map(string)
}

variable "deletion_protection" {
  description = "Refuse to destroy the instance."
  type        = bool
}
