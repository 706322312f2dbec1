"""The same model behind BentoML, in its own environment: ``bentoml serve benchmarks.predict_bentoml:Predictions``.

It reads the same fast store and makes the same prediction with the same functions; what differs is the server around
them, written as BentoML's guide has it: a service class, an API method that takes batches, one worker.
"""

import os
from pathlib import Path

import bentoml
import redis

from benchmarks.service import PEER_MODEL, PEER_STORE
from features.recent_calls import read_recent, recent_calls
from features.recent_rules import RecentRules
from features.recent_scripts import RECENT
from models.behavior.loaded import load_model
from models.behavior.scoring import History, score
from serving.store import clock_us


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Predictions:
    """Predicts from a visitor's recent events."""

    def __init__(self) -> None:
        self._rules = RecentRules(max_age_days=3650)
        self._store = redis.Redis.from_url(os.environ[PEER_STORE], protocol=2)
        self._store.script_load(RECENT.text)
        self._model = load_model(Path(os.environ[PEER_MODEL]), "purchase", "", self._rules)

    @bentoml.api(batchable=True, max_batch_size=16, max_latency_ms=1000)
    def predict(self, visitors: list[str]) -> list[float]:
        """Returns the probability of each visitor."""
        calls = recent_calls(visitors, self._rules, clock_us())
        pipeline = self._store.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call.command)
        found = read_recent(pipeline.execute(), self._rules)
        scored = score(self._model, [History(each.rows, each.full) for each in found])
        return [self._model.headline(each.probabilities)[0] for each in scored]
