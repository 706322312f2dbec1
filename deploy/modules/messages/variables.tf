variable "project_number" {
  description = "The project's number, which the name of Pub/Sub's own account holds."
  type        = string
}

variable "region" {
  description = "The only region that messages are stored in."
  type        = string
}

variable "bucket" {
  description = "Bucket that the streams are written to, one folder each."
  type        = string
}

variable "file_seconds" {
  description = "Longest that a file is written to; 60 to 600 seconds."
  type        = number
  default     = 300

  validation {
    condition     = var.file_seconds >= 60 && var.file_seconds <= 600
    error_message = "Pub/Sub closes a file after 60 to 600 seconds."
  }
}

variable "ingested" {
  description = "Whether a streaming pipeline archives the events, instead of Pub/Sub writing them to the bucket."
  type        = bool
  default     = false
}

variable "ingest_member" {
  description = "Who reads the subscription of that pipeline."
  type        = string
  default     = null
}

variable "publishers" {
  description = "Any name -> member that may publish what was received."
  type        = map(string)
}
