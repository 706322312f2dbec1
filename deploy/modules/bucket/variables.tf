variable "name" {
  description = "The bucket's name, which is unique in the world."
  type        = string
}

variable "location" {
  description = "Region of the bucket."
  type        = string
}

variable "purpose" {
  description = "What it is for, as a label."
  type        = string
}

variable "versions_kept" {
  description = "Earlier versions kept of an object; 0 keeps none."
  type        = number
  default     = 0
}

variable "undelete_days" {
  description = "Days for which a deleted object can be brought back (and is paid for); 0, or 7 to 90."
  type        = number
  default     = 7

  validation {
    condition     = var.undelete_days == 0 || (var.undelete_days >= 7 && var.undelete_days <= 90)
    error_message = "Cloud Storage keeps deleted objects for 7 to 90 days, or not at all (0)."
  }
}

variable "delete_after_days" {
  description = "Prefix of objects, or \"\" for all of them -> days after which they are deleted."
  type        = map(number)
  default     = {}
}

variable "readers" {
  description = "Any name -> member that may read and list objects."
  type        = map(string)
  default     = {}
}

variable "writers" {
  description = "Any name -> member that may also write, replace and delete objects."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse to destroy the bucket while it holds something."
  type        = bool
}
