"""What a shard keeps for the golden set: the raw events that the service will have to make the same instance of."""

import numpy as np
import pyarrow as pa

from example_generators.purchase_points import PurchasePoints
from features.coding import FeatureCoder
from features.current import current_slices
from features.sessions import SessionRules, Window, build_sessions
from features.spec import FeatureSpec, SplitSpec
from transforms.shard_examples import shard_examples

POINT = "Prediction Point"


def test_hidden_events_within_an_instance_are_kept_for_its_replay() -> None:
    # Two views 40 minutes apart: only the hidden point between them holds the session together.
    minutes, names = [0, 20, 40, 41], ["Page Viewed", POINT, "Page Viewed", POINT]
    events = pa.table(
        {
            "visitor": ["v"] * 4,
            "message_id": [f"m{index}" for index in range(4)],
            "type": ["track"] * 4,
            "event": names,
            "timestamp_us": [1_700_000_000_000_000 + minute * 60_000_000 for minute in minutes],
            **{name: pa.nulls(4, pa.string()) for name in ("url", "referrer", "user_agent")},
        }
    )
    generator = PurchasePoints(points="synthetic", horizon_seconds=60.0)
    rules = SessionRules(1800.0, 1000)
    split = SplitSpec(validation=0.0, test=0.999)
    spec = FeatureSpec(hides=generator.hides, stats=generator.stats, session_rules=rules, split=split)
    window = Window(1_700_000_000_000_000, 1_800_000_000_000_000)
    made = shard_examples(events, coder=FeatureCoder(spec), generator=generator, window=window, golden=10)

    golden = sorted(([each["event"] for each in row["events"]] for row in made.golden.to_pylist()), key=len)
    assert golden == [names[:1], names[:3]]
    again = pa.Table.from_pylist(max(made.golden.to_pylist(), key=lambda row: len(row["events"]))["events"])
    sessions, _ = build_sessions(again.append_column("visitor", again.column("anonymous_id")), rules, window)
    coded = FeatureCoder(spec).encode(sessions, current_slices(sessions, spec))
    assert coded.lengths.tolist() == [2]
    assert np.diff(sessions.offsets).tolist() == [3]
