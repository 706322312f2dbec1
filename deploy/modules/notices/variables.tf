variable "region" {
  description = "The only region that notices are stored in."
  type        = string
}

variable "emails" {
  description = "Addresses that alerts go to."
  type        = list(string)
}

variable "undelivered_subscription" {
  description = "Subscription that must stay empty."
  type        = string
}
