# The fast store: one primary, no cluster, as docs/fast-store.md asks. The password and the address go into one secret, the
# certificate authority into another; both are in Terraform's state too, which is why its bucket is private.

resource "google_redis_instance" "this" {
  name                    = "augury"
  region                  = var.region
  tier                    = var.tier
  memory_size_gb          = var.memory_gb
  redis_version           = "REDIS_7_2"
  authorized_network      = var.network
  connect_mode            = "DIRECT_PEERING"
  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  deletion_protection     = var.deletion_protection
  labels                  = { app = "augury" }

  redis_configs = {
    "maxmemory-policy" = "noeviction" # evicting would show half of a visitor, or one who was forgotten
    "maxmemory-gb"     = tostring(floor(var.memory_gb * 8) / 10)
  }

  persistence_config {
    persistence_mode    = "RDB"
    rdb_snapshot_period = "ONE_HOUR"
  }

  maintenance_policy {
    weekly_maintenance_window {
      day = "TUESDAY"
      start_time {
        hours = 3
      }
    }
  }
}

locals {
  # The certificate names the instance, not its address: the authority is checked, which is this instance's alone.
  url = format(
    "rediss://:%s@%s:%d/0?ssl_ca_certs=%s&ssl_check_hostname=false",
    google_redis_instance.this.auth_string, google_redis_instance.this.host, google_redis_instance.this.port, var.ca_path,
  )
  secrets = {
    "augury-redis-url" = local.url
    "augury-redis-ca"  = join("\n", google_redis_instance.this.server_ca_certs[*].cert)
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = toset(["augury-redis-url", "augury-redis-ca"])

  secret_id = each.key
  labels    = { app = "augury" }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_version" "this" {
  for_each = google_secret_manager_secret.this

  secret      = each.value.id
  secret_data = local.secrets[each.key]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = { for pair in setproduct(keys(var.readers), ["augury-redis-url", "augury-redis-ca"]) : "${pair[0]}-${pair[1]}" => pair }

  secret_id = google_secret_manager_secret.this[each.value[1]].id
  role      = "roles/secretmanager.secretAccessor"
  member    = var.readers[each.value[0]]
}
