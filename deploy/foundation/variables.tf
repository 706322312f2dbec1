variable "project" {
  description = "ID of the Google Cloud project that everything goes into; it must exist and have billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's ID has 6 to 30 lower-case letters, digits and hyphens, such as shop-augury."
  }
}

variable "region" {
  description = "Region of the images and of Terraform's state; take the one that the site will run in."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Name a region such as europe-west1, not a zone or a multi-region."
  }
}

variable "deletion_protection" {
  description = "Keep the bucket of Terraform's state even when `terraform destroy` is run while it holds something."
  type        = bool
  default     = true
}
