variable "dataset" {
  description = "The data set's ID."
  type        = string
}

variable "location" {
  description = "Region of the data set; it cannot be changed later."
  type        = string
}

variable "readers" {
  description = "Any name -> member that may read every table of the data set."
  type        = map(string)
  default     = {}
}

variable "writers" {
  description = "Any name -> member that may add rows to the tables."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse to destroy the tables."
  type        = bool
}
