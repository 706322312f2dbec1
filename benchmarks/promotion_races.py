"""Two promotions that race for one championship, round after round: ``make bench-promotion-races``.

Two processes promote different versions; their gates wait for each other, so that both have read the same champion and
both have passed before either may change it. A third looks at the pointer all the while. A round is bad if not exactly
one promotion wins and the other is told so, if the pointer was ever unreadable or went back, or if the history does not
tell what happened. On a local disk and on a server of Cloud Storage's protocol.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results
from features.errors import AuguryError
from models.gates import GateResult
from models.registry import ConflictError, Registry
from tests.fake_credentials import fake_credentials
from tests.storage_server import storage_server

_MODEL = ("behavior", "purchase")
_PATIENCE_SECONDS = 60.0


def main() -> None:
    """Races and counts, and writes ``benchmarks/results/promotion-races.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        os.environ.update(fake_credentials(Path(folder)))
        local, looks = _race(str(Path(folder) / "registry"), Path(folder) / "local", given.rounds)
        with storage_server():
            from google.cloud import storage

            storage.Client().create_bucket("races")
            remote, remote_looks = _race("gs://races/registry", Path(folder) / "remote", given.rounds)
    figure = (
        f"bad rounds of {given.rounds} on a local disk ({local}, the pointer read {looks} times meanwhile) and of "
        f"{given.rounds} on Cloud Storage's protocol ({remote}, {remote_looks} times); 2 promotions a round"
    )
    write_results("promotion-races", [Figure("promotion_races_bad", figure, local + remote, "rounds", "== 0")])


def _race(root: str, scratch: Path, rounds: int) -> tuple[int, int]:
    """Returns the number of bad rounds, and how often the pointer was looked at."""
    registry = Registry(root, cache=scratch / "cache")
    versions = [_publish(registry, scratch / f"model{number}", number) for number in range(4)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    ends, racers = [], []
    for number in range(2):
        ours, theirs = context.Pipe()
        racer = context.Process(target=_promote, args=(root, str(scratch / f"cache{number}"), barrier, theirs))
        racer.start()
        ends.append(ours)
        racers.append(racer)
    bad = looks = 0
    try:
        for number in range(rounds):
            pair = versions[:2] if number % 2 else versions[2:]  # never the champion, which would be no race
            good, seen = _round(registry, ends, pair)
            bad, looks = bad + (not good), looks + seen
        if not _history_is_whole(registry, rounds):
            bad += 1
    finally:
        for end in ends:
            end.send(None)
        for racer in racers:
            racer.join(_PATIENCE_SECONDS)
            racer.kill()
    return bad, looks


def _round(registry: Registry, ends: list[Connection], pair: list[str]) -> tuple[bool, int]:
    """Runs one race; says whether it was as it should be, and how often the pointer was looked at."""
    before = registry.champion(*_MODEL)
    generation = before.generation if before else 0
    for end, version in zip(ends, pair, strict=True):
        end.send(version)
    good, looks, last = True, 0, generation
    while not all(end.poll() for end in ends):
        try:
            seen = registry.champion(*_MODEL)
        except AuguryError:
            good = False  # torn
            continue
        looks += 1
        now = seen.generation if seen else 0
        good = good and last <= now <= generation + 1 and (now == generation or seen.version in pair)
        last = now
    told = [end.recv() for end in ends]
    winner = registry.champion(*_MODEL)
    won = [version for version, outcome in zip(pair, told, strict=True) if outcome == "won"]
    good = good and sorted(told) == ["told", "won"] and winner is not None and [winner.version] == won
    return bool(good and winner and winner.generation == generation + 1), looks


def _history_is_whole(registry: Registry, rounds: int) -> bool:
    changes = [line for line in registry.history(*_MODEL) if line["action"] == "promote"]
    follow = [line["replaced"] for line in changes] == [None, *(line["version"] for line in changes[:-1])]
    return follow and [line["generation"] for line in changes] == list(range(1, rounds + 1))


def _promote(root: str, cache: str, barrier: Barrier, end: Connection) -> None:
    """One racer: promotes what it is sent, and answers whether it won or was told that somebody else did."""
    registry = Registry(root, cache=cache)

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        barrier.wait(_PATIENCE_SECONDS)
        return [GateResult("metrics", True, "good enough")]

    while (version := end.recv()) is not None:
        try:
            registry.promote(*_MODEL, version, gates, by="racer")
            end.send("won")
        except ConflictError:
            end.send("told")


def _publish(registry: Registry, folder: Path, number: int) -> str:
    card: dict[str, Any] = {"metrics": {"auc": 0.7 + number / 100}}
    folder.mkdir(parents=True)
    (folder / "model_card.json").write_text(json.dumps(card))
    return registry.publish(folder, *_MODEL)


if __name__ == "__main__":
    main()
