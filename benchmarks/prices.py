"""List prices that docs/costs.md is computed with: assumptions, to be checked before anybody relies on them."""

from dataclasses import dataclass

NOTED = "November 2026"
"""When these were noted: from memory of Google's public price lists, US dollars, no discounts, region us-central1.
None was looked up when this was written."""

HOURS = 730.0
"""Hours of a month."""


@dataclass(frozen=True)
class Prices:
    """US dollars.

    Attributes:
        dataflow_vcpu_hour: a batch worker's processor.
        dataflow_gb_hour: a batch worker's memory.
        dataflow_shuffle_gb: data that Dataflow Shuffle processes, counted when written and when read.
        streaming_vcpu_hour: a streaming worker's processor.
        streaming_gb_hour: a streaming worker's memory.
        streaming_engine_gb: data that Streaming Engine processes.
        run_vcpu_second: Cloud Run, processor of an instance (billed as long as it is there) or a job.
        run_gb_second: Cloud Run, memory of the same.
        pubsub_tb: what is published, and again what a subscriber pulls.
        pubsub_to_storage_tb: what Pub/Sub writes to Cloud Storage.
        storage_gb_month: Cloud Storage, standard, one region.
        bigquery_gb_month: a table's logical bytes, active.
        bigquery_insert_gb: streaming inserts.
        bigquery_read_tb: what the Storage Read API reads.
        redis_gb_hour: a GB of Memorystore by the size of the instance, tier BASIC and tier STANDARD_HA.
        gpu_machine_hour: g2-standard-4, one L4.
        balancer_hour: a load balancer's first rules.
    """

    dataflow_vcpu_hour: float = 0.056
    dataflow_gb_hour: float = 0.003557
    dataflow_shuffle_gb: float = 0.011
    streaming_vcpu_hour: float = 0.069
    streaming_gb_hour: float = 0.0035557
    streaming_engine_gb: float = 0.018
    run_vcpu_second: float = 0.000018
    run_gb_second: float = 0.000002
    pubsub_tb: float = 40.0
    pubsub_to_storage_tb: float = 50.0
    storage_gb_month: float = 0.020
    bigquery_gb_month: float = 0.020
    bigquery_insert_gb: float = 0.05
    bigquery_read_tb: float = 1.10
    redis_gb_hour: tuple[tuple[int, float, float], ...] = (
        (4, 0.049, 0.064),
        (10, 0.027, 0.054),
        (35, 0.023, 0.046),
        (100, 0.019, 0.038),
        (300, 0.016, 0.032),
    )
    gpu_machine_hour: float = 0.71
    balancer_hour: float = 0.025
