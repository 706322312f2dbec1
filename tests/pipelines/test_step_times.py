"""Bundles whose steps nobody times: counters as ever, no thread of Beam's, no wait at their end."""

import threading

import apache_beam as beam
import pytest
from apache_beam.runners.worker import statesampler
from apache_beam.utils.counters import CounterFactory

from pipelines.launch import beam_options, choose_runner, counted
from pipelines.step_times import leave_out_step_times
from pipelines.worker_pool import worker_pool


def count(element: int) -> None:
    """Counts the elements, by what follows the steps of their bundle."""
    follows = type(statesampler.get_current_tracker()).__name__
    beam.metrics.Metrics.counter("test", f"elements/{follows}").inc()


@pytest.mark.parametrize("processes", [1, 2])
def test_local_bundles_count_and_are_not_timed(processes: int) -> None:
    options = beam_options(())
    with worker_pool(processes, (), ["here"]) as pool:
        pipeline = beam.Pipeline(runner=choose_runner(options, pool), options=options)
        pipeline | beam.Create(list(range(5))) | beam.Map(count)
        result = pipeline.run()
    assert counted(result) == {"elements": {"_Unsampled": 5}}


def test_a_bundle_starts_no_thread_and_the_next_may_follow() -> None:
    leave_out_step_times()
    sampler = statesampler.StateSampler("stage", CounterFactory())
    before = threading.active_count()
    for _ in range(2):
        sampler.start()
        assert statesampler.get_current_tracker() is sampler and threading.active_count() == before
        with sampler.scoped_state("step", "process"):
            assert sampler.get_info().state_name.step_name == "step"
        sampler.stop_if_still_running()
        assert statesampler.get_current_tracker() is None and sampler.finished
        sampler.reset()
