variable "project" {
  description = "ID of the Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's ID has 6 to 30 lower-case letters, digits and hyphens, such as shop-augury."
  }
}

variable "project_number" {
  description = "The project's number (gcloud projects describe ID --format='value(projectNumber)'); Pub/Sub's own account has it in its name."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{6,14}$", var.project_number))
    error_message = "Give the number of the project, such as 123456789012, not its ID."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Name a region such as europe-west1, not a zone or a multi-region."
  }
}

variable "deletion_protection" {
  description = "Refuse to destroy what holds data or answers requests. For a teardown set it to false, apply, then destroy."
  type        = bool
  default     = true
}

variable "images" {
  description = "Names of the images: `service` (target cpu), `training`, `heatmaps` (target cuda) and `examples` (of the Flex Template behavior_examples) where they are wanted. Best by digest."
  type = object({
    service  = string
    training = optional(string, "")
    heatmaps = optional(string, "")
    examples = optional(string, "")
  })

  validation {
    condition = alltrue([
      for image in [var.images.service, var.images.training, var.images.heatmaps, var.images.examples] :
      image == "" || (can(regex("^[a-z0-9.-]+/.+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$", image)) && !endswith(image, ":latest"))
    ])
    error_message = "Name images in full with a version or a digest, and never :latest, which says nothing of what runs."
  }
}

variable "addresses" {
  description = "Private addresses of the network: at least a /26; each instance of the service takes two."
  type        = string
  default     = "10.20.0.0/20"

  validation {
    condition     = can(cidrhost(var.addresses, 0)) && tonumber(split("/", var.addresses)[1]) <= 26
    error_message = "Give a range such as 10.20.0.0/20, no smaller than a /26."
  }
}

variable "service" {
  description = "The service on Cloud Run: processors, memory, least and most instances, requests at once, whether anybody may call it, and further settings AUGURY_... -> value."
  type = object({
    cpu           = optional(number, 2)
    memory        = optional(string, "4Gi")
    min_instances = optional(number, 1)
    max_instances = optional(number, 20)
    concurrency   = optional(number, 200)
    public        = optional(bool, true)
    settings      = optional(map(string), {})
  })
  default = {}

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.service.cpu)
    error_message = "Cloud Run gives an instance 1, 2, 4, 6 or 8 processors."
  }

  validation {
    condition     = var.service.min_instances >= 0 && var.service.min_instances <= var.service.max_instances
    error_message = "min_instances is 0 or more and at most max_instances."
  }

  validation {
    condition     = alltrue([for name in keys(var.service.settings) : startswith(name, "AUGURY_") && !endswith(name, "_KEYS") && name != "AUGURY_HASH_KEY"])
    error_message = "Settings are names that begin with AUGURY_; keys do not belong here, where everybody reads them."
  }
}

variable "store" {
  description = "The fast store: tier BASIC or STANDARD_HA, and memory in GB (docs/fast-store.md says how much)."
  type = object({
    tier      = optional(string, "STANDARD_HA")
    memory_gb = optional(number, 5)
  })
  default = {}

  validation {
    condition     = contains(["BASIC", "STANDARD_HA"], var.store.tier)
    error_message = "The tier is BASIC or STANDARD_HA."
  }

  validation {
    condition     = var.store.memory_gb >= 1 && var.store.memory_gb <= 300 && floor(var.store.memory_gb) == var.store.memory_gb
    error_message = "Memorystore has 1 to 300 GB, whole ones."
  }
}

variable "days" {
  description = "Days that things are kept: events as files (what retraining reads), the logs of answers and dead letters, and the folders of retraining."
  type = object({
    events = optional(number, 60)
    logs   = optional(number, 90)
    work   = optional(number, 21)
  })
  default = {}

  validation {
    condition     = alltrue([for days in values(var.days) : days >= 1 && days <= 3650])
    error_message = "Give 1 to 3650 days."
  }
}

variable "ingest" {
  description = "Whether a streaming pipeline archives the events in BigQuery; it is started by hand (docs/cloud.md), Terraform makes what it needs. Otherwise Pub/Sub writes the events to the bucket, and nothing runs."
  type        = bool
  default     = false
}

variable "heatmaps" {
  description = "Heatmaps on GPUs behind a load balancer; null: only what the service on Cloud Run does."
  type = object({
    domain              = string
    zones               = list(string)
    machine_type        = optional(string, "g2-standard-4")
    accelerator         = optional(string)
    min_instances       = optional(number, 1)
    max_instances       = optional(number, 4)
    requests_per_second = optional(number, 4)
    settings            = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.heatmaps == null ? true : length(var.heatmaps.zones) > 0 && alltrue([for zone in var.heatmaps.zones : startswith(zone, var.region)])
    error_message = "Name at least one zone of the region that has the GPU."
  }

  validation {
    condition     = var.heatmaps == null ? true : var.images.heatmaps != ""
    error_message = "Heatmaps need images.heatmaps, built of the Dockerfile's target cuda."
  }

  validation {
    condition     = var.heatmaps == null ? true : alltrue([for name in keys(var.heatmaps.settings) : startswith(name, "AUGURY_") && !endswith(name, "_KEYS") && name != "AUGURY_HASH_KEY"])
    error_message = "Settings are names that begin with AUGURY_; keys do not belong here, where everybody reads them."
  }
}

variable "retraining" {
  description = "Name -> a model that is trained again on a schedule. `events` may name {first} and {today}, dates `days` apart; none: all event files of the bucket, or the last `days` of the BigQuery table where there is an ingest pipeline."
  type = map(object({
    model            = string
    events           = optional(string)
    days             = optional(number, 28)
    examples         = optional(map(string), {})
    generator_params = optional(map(string), {})
    training         = optional(map(string), {})
    thresholds = optional(object({
      max_ece  = optional(number)
      at_least = optional(map(number))
      at_most  = optional(map(number))
      margins  = optional(map(number))
    }))
    schedule        = optional(string, "0 4 * * 1")
    time_zone       = optional(string, "Etc/UTC")
    paused          = optional(bool, false)
    cpu             = optional(number, 4)
    memory          = optional(string, "16Gi")
    timeout_seconds = optional(number, 43200)
    on_dataflow     = optional(bool, false)
    machine_type    = optional(string, "n2-highmem-4")
    max_workers     = optional(number, 20)
  }))
  default = {}

  validation {
    condition     = alltrue([for name, one in var.retraining : can(regex("^[a-z][a-z0-9-]{0,20}$", name)) && can(regex("^behavior/[A-Za-z0-9_-]+$", one.model))])
    error_message = "A name has lower-case letters, digits and hyphens; a model is behavior/NAME."
  }

  validation {
    condition     = alltrue([for one in values(var.retraining) : one.days >= 7 && one.days <= 60])
    error_message = "A window has 7 to 60 days."
  }

  validation {
    condition = alltrue(flatten([
      for one in values(var.retraining) : [
        for text in concat(values(one.examples), values(one.generator_params), values(one.training)) : can(regex("^[^\\s'\"\\\\$`]*$", text))
      ]
    ]))
    error_message = "Options become words of a command line: no spaces, quotes, backslashes or dollar signs in them."
  }

  validation {
    condition     = alltrue([for one in values(var.retraining) : one.events == null ? true : can(regex("^(gs|bq|bq-query)://[^\\s'\"\\\\$`]+$", one.events))])
    error_message = "Events are one gs://, bq:// or bq-query:// URL, without spaces or quotes."
  }

  validation {
    condition     = alltrue([for one in values(var.retraining) : can(regex("^(\\S+\\s+){4}\\S+$", one.schedule))])
    error_message = "A schedule has five fields, such as 0 4 * * 1: Mondays at four."
  }

  validation {
    condition     = length(var.retraining) == 0 || var.images.training != ""
    error_message = "Retraining needs images.training, built of the Dockerfile's target training."
  }

  validation {
    condition     = alltrue([for one in values(var.retraining) : !one.on_dataflow || var.images.examples != ""])
    error_message = "Examples on Dataflow need images.examples, the image of the Flex Template, which its workers run too."
  }
}

variable "emails" {
  description = "Addresses that alerts go to: retraining that failed, messages that could not be delivered."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "Give e-mail addresses."
  }
}
