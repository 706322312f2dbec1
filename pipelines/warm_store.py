"""Archived events back into the fast store: for a new server, or new rules of what is kept."""

import time
from collections.abc import Sequence

import apache_beam as beam

from features.adapters import get_adapter
from features.cleaning_file import read_cleaning_rules
from features.events import EVENT_SCHEMA
from features.tombstones import Tombstones, tombstone_files, tombstones_beside
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS
from pipelines.engines import only_planned, refuse_local_paths
from pipelines.estimate import estimate_rows
from pipelines.launch import beam_options, choose_runner, counted, main, print_json, run_to_end
from pipelines.options import parse_options
from pipelines.warm_options import WarmStoreError, WarmStoreOptions
from transforms.bigquery_streams import open_streams
from transforms.clean_events import CleanEvents
from transforms.fill_store import FillStore
from transforms.read_events import ReadEvents
from transforms.read_tasks import ReadTask
from transforms.sources import plan_reads


def build(pipeline: beam.Pipeline, options: WarmStoreOptions, tasks: Sequence[ReadTask]) -> beam.PCollection:
    """Composes the pipeline; returns the counts of what was pushed, shard by shard.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        tasks: what to read.
    """
    adapter = get_adapter(options.adapter, now_us=time.time_ns() // 1000)
    rules = read_cleaning_rules(options.cleaning)
    shards = options.shards or min(MAX_SHARDS, 1 + estimate_rows(tasks) // EVENTS_PER_SHARD)
    tasks = open_streams(tasks, adapter.columns(tuple(EVENT_SCHEMA.names)))
    read = pipeline | "ReadEvents" >> ReadEvents(tasks, adapter, EVENT_SCHEMA.names, options.dead_letter)
    cleaned = read.events | "CleanEvents" >> CleanEvents(rules, forgotten(options, tasks))
    return cleaned.events | "FillStore" >> FillStore(options.store(), shards)


def forgotten(options: WarmStoreOptions, tasks: Sequence[ReadTask]) -> Tombstones:
    """Returns the tombstones that count: those asked for, else those of the archives that the files belong to.

    Raises:
        WarmStoreError: there are none where they are said to be.
    """
    if options.tombstones is None:
        return Tombstones.union(map(Tombstones.load, tombstones_beside([task.path for task in tasks])))
    if not tombstone_files(options.tombstones):
        raise WarmStoreError(f"tombstones {options.tombstones} holds no file; check the path, or leave the option out")
    return Tombstones.load(options.tombstones)


def warm_store(options: WarmStoreOptions, beam_flags: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """Runs the pipeline to its end and returns what it counted: kind -> reason -> number of events.

    Where Beam's flags say to plan the job only, nothing is counted.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; running it again does no harm.
    """
    flags = beam_options(beam_flags)
    refuse_local_paths(flags, (options.dead_letter, *options.events))
    tasks = plan_reads(options.events, options.format)
    pipeline = beam.Pipeline(runner=choose_runner(flags), options=flags)
    build(pipeline, options, tasks)
    result = run_to_end(pipeline)
    if only_planned(flags):
        return {}
    counts = counted(result)
    if not counts.get("recent"):
        raise WarmStoreError(
            f"{', '.join(options.events)}: nothing to keep among {counts.get('read', {}).get('rows', 0)} rows ("
            f"{_listed(counts)}); check the adapter, the cleaning rules and store_days"
        )
    return counts


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints what it counted."""
    options, beam_flags = parse_options(WarmStoreOptions, argv, __doc__)
    print_json(warm_store(options, beam_flags))


def _listed(counts: dict[str, dict[str, int]]) -> str:
    lost = {**counts.get("rejected", {}), **counts.get("dropped", {})}
    return ", ".join(f"{reason} {number}" for reason, number in lost.items()) or "none"


if __name__ == "__main__":
    main(run)
