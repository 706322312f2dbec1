variable "name" {
  description = "What the workflow is named after: lower-case letters, digits and hyphens."
  type        = string
}

variable "project" {
  description = "The project's ID."
  type        = string
}

variable "region" {
  description = "Region of the workflow, the job and the schedule."
  type        = string
}

variable "model" {
  description = "FAMILY/NAME of the model in the registry."
  type        = string
}

variable "events" {
  description = "What to train on; {first} and {today} become dates."
  type        = string
}

variable "days" {
  description = "Days from {first} to {today}."
  type        = number
}

variable "tombstones" {
  description = "Folder of the tombstones of forgotten visitors."
  type        = string
}

variable "examples" {
  description = "Options of `augury examples`, as the pipeline spells them (gap_minutes), -> value."
  type        = map(string)
}

variable "generator_params" {
  description = "Parameters of the example generator -> value: JSON where it can be, else text."
  type        = map(string)
}

variable "training" {
  description = "Options of `augury train behavior` -> value."
  type        = map(string)
}

variable "thresholds" {
  description = "What a version must reach, instead of what its family must: see docs/cli.md; null leaves it at that."
  type = object({
    max_ece  = optional(number)
    at_least = optional(map(number))
    at_most  = optional(map(number))
    margins  = optional(map(number))
  })
}

variable "models_bucket" {
  description = "Bucket that the file of thresholds goes into."
  type        = string
}

variable "schedule" {
  description = "When, as cron has it."
  type        = string
}

variable "time_zone" {
  description = "Time zone of the schedule."
  type        = string
}

variable "paused" {
  description = "Keep the schedule, but do not follow it."
  type        = bool
}

variable "image" {
  description = "Image of the Dockerfile's target training."
  type        = string
}

variable "workers_image" {
  description = "Image of the Flex Template, which Dataflow's workers run too."
  type        = string
}

variable "cpu" {
  description = "Processors of the job."
  type        = number
}

variable "memory" {
  description = "Memory of the job."
  type        = string
}

variable "timeout_seconds" {
  description = "Longest that a step may take."
  type        = number
}

variable "registry" {
  description = "AUGURY_REGISTRY."
  type        = string
}

variable "work" {
  description = "gs:// folder of the runs."
  type        = string
}

variable "on_dataflow" {
  description = "Make the examples on Dataflow instead of in the job."
  type        = bool
}

variable "templates" {
  description = "gs:// folder of the Flex Templates."
  type        = string
}

variable "subnetwork" {
  description = "ID of the subnetwork of Dataflow's workers."
  type        = string
}

variable "machine_type" {
  description = "Machine type of Dataflow's workers."
  type        = string
}

variable "max_workers" {
  description = "Most workers of Dataflow."
  type        = number
}

variable "training_account" {
  description = "E-mail of the account that the job runs as."
  type        = string
}

variable "pipeline_account" {
  description = "E-mail of the account that Dataflow's workers run as."
  type        = string
}

variable "workflow_account" {
  description = "E-mail of the account that the workflow runs as."
  type        = string
}

variable "scheduler_account" {
  description = "E-mail of the account that starts the workflow."
  type        = string
}

variable "notices" {
  description = "Topic that is told how a run ended."
  type        = string
}

variable "deletion_protection" {
  description = "Refuse to destroy the job and the workflow."
  type        = bool
}
