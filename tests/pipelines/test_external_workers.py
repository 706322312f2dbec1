"""The server of external workers: where it listens, and what it starts and ends."""

import socket
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2

from pipelines.external_workers import ExternalWorkers, ExternalWorkersError

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, and the same as an address of IPv6, as the system writes them."""


def listening(port: int) -> set[str]:
    """Returns the addresses that the port is listened on, as the system writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                found.add(local.rpartition(":")[0])
    return found


def test_it_listens_on_this_machine_alone() -> None:
    with ExternalWorkers() as pool:
        host, port = pool.address.split(":")
        assert host == "127.0.0.1" and listening(int(port)) and listening(int(port)) <= LOOPBACK


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ExternalWorkersError, match=f"port {port} of 127.0.0.1 cannot be listened on; give a free"):
            ExternalWorkers(port)


def test_a_worker_runs_until_it_is_stopped() -> None:
    """It would serve a runner that never answers."""
    with socket.socket() as runner:
        runner.bind(("127.0.0.1", 0))
        runner.listen()
        endpoint = endpoints_pb2.ApiServiceDescriptor(url=f"127.0.0.1:{runner.getsockname()[1]}")
        start = beam_fn_api_pb2.StartWorkerRequest(worker_id="w1", control_endpoint=endpoint, logging_endpoint=endpoint)
        with ExternalWorkers() as pool, grpc.insecure_channel(pool.address) as channel:
            asked = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
            assert asked.StartWorker(start).error == ""
            process = pool._workers["w1"]
            assert process.poll() is None
            asked.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id="w1"))
            assert process.poll() is not None and pool._workers == {}
            asked.StartWorker(start)
            left = pool._workers["w1"]
        assert left.poll() is not None
