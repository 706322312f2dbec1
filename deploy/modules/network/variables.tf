variable "region" {
  description = "Region of the subnetwork."
  type        = string
}

variable "range" {
  description = "Its addresses."
  type        = string
}
