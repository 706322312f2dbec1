"""Scores do not depend on who else is asked about, and say what they were made from."""

import asyncio
import hashlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.coding import FeatureCoder
from features.events import EVENT_SCHEMA
from features.recent_events import RecentEventsError, encode_events
from models.behavior import scoring
from models.behavior.loaded import LoadedModel, load_model
from models.behavior.scoring import History, Scored, score
from serving.scoring import Scorer, ScorerBusyError
from tests.tiny_model import GAP_SECONDS, START_US, artifact, shop_events


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(artifact(), "purchase", "v1")


def rows_of(events: pa.Table) -> list[bytes]:
    columns = {name: events.column(name).combine_chunks() for name in events.column_names}
    full = [columns.get(item.name, pa.nulls(events.num_rows, item.type)) for item in EVENT_SCHEMA]
    return encode_events(pa.RecordBatch.from_arrays(full, schema=EVENT_SCHEMA))


@pytest.fixture(scope="module")
def histories() -> list[History]:
    """The events of 60 visitors, and one of whom nothing is known."""
    events = shop_events(60, 9)
    names = events.column("visitor").to_pylist()
    found: dict[str, list[bytes]] = {"nobody": []}
    for name, row in zip(names, rows_of(events), strict=True):
        found.setdefault(name, []).append(row)
    return [History(rows) for rows in found.values()]


def history(*events: tuple[float, str], full: bool = False) -> History:
    """Makes a visitor of (second, event)."""
    table = pa.table(
        {
            "message_id": [f"m{index}" for index in range(len(events))],
            "anonymous_id": ["v"] * len(events),
            "type": ["track"] * len(events),
            "event": [name for _, name in events],
            "timestamp_us": [START_US + round(second * 1e6) for second, _ in events],
        }
    )
    return History(rows_of(table), full)


def same(one: Scored, other: Scored) -> bool:
    return one.probabilities.tobytes() == other.probabilities.tobytes() and (
        one.known,
        one.events_used,
        one.events_hash,
        one.truncated,
    ) == (other.known, other.events_used, other.events_hash, other.truncated)


@settings(max_examples=30)
@given(data=st.data())
def test_no_bit_depends_on_who_else_is_asked_about(model, histories, data) -> None:
    alone = [score(model, [each])[0] for each in histories]
    chosen = data.draw(st.lists(st.sampled_from(range(len(histories))), min_size=1, max_size=16))
    together = score(model, [histories[index] for index in chosen])
    assert all(same(found, alone[index]) for found, index in zip(together, chosen, strict=True))


def test_one_call_of_the_coder_for_all_and_one_of_the_graph_for_each(model, histories, monkeypatch) -> None:
    coded, asked = [], []
    plain = FeatureCoder.encode
    monkeypatch.setattr(FeatureCoder, "encode", lambda *a: coded.append(1) or plain(*a))
    call = model.predictor._call
    monkeypatch.setattr(model.predictor, "_call", lambda *a: asked.append(1) or call(*a))
    found = score(model, histories[:10])
    assert (len(coded), len(asked)) == (1, sum(each.known for each in found))


def test_order_of_arrival_changes_nothing(model, histories) -> None:
    backwards = [History(each.rows[::-1], each.full) for each in histories]
    assert all(map(same, score(model, histories), score(model, backwards)))


def test_nothing_known_is_the_base_rate(model) -> None:
    [found] = score(model, [History([])])
    assert same(found, Scored(model.base_rates))
    assert (found.known, found.events_used, found.events_hash) == (False, 0, "")


def test_nothing_since_the_order_is_the_base_rate_too(model) -> None:
    [found] = score(model, [history((0, "Page Viewed"), (1, "Order Completed"))])
    assert same(found, Scored(model.base_rates))


def test_it_begins_after_the_order_and_with_the_session(model) -> None:
    late = GAP_SECONDS + 10
    wanted = score(model, [history((late, "A"), (late + 1, "B"))])[0]
    ordered = score(model, [history((late - 5, "X"), (late - 4, "Order Completed"), (late, "A"), (late + 1, "B"))])[0]
    rested = score(model, [history((0, "X"), (late, "A"), (late + 1, "B"))])[0]
    for found in (ordered, rested):
        assert found.probabilities.tobytes() == wanted.probabilities.tobytes()
        assert found.events_used == 2


def test_the_hash_is_of_the_events_used(model) -> None:
    [found] = score(model, [history((0, "X"), (1, "Order Completed"), (2, "A"), (3, "B"))])
    assert found.events_hash == hashlib.blake2b(b"m2\nm3\n", digest_size=16).hexdigest()


@pytest.mark.parametrize(
    ("given", "truncated"),
    [
        (history((0, "A"), (1, "B")), False),  # the store has left nothing out
        (history((0, "A"), (1, "B"), full=True), True),
        (history((0, "Order Completed"), (1, "B"), full=True), False),  # what was before the order does not count
        (history((0, "A"), (GAP_SECONDS + 1, "B"), full=True), False),  # nor what was before the pause
        (history(*((second, "A") for second in range(8)), full=True), False),  # the model reads no more than 8
        (history(*((second, "A") for second in range(7)), full=True), True),
    ],
)
def test_truncated_says_that_training_might_have_seen_more(model, given: History, truncated: bool) -> None:
    assert score(model, [given])[0].truncated is truncated


def run(test: Callable) -> None:
    async def body() -> None:
        scorer = Scorer(most_waiting=40)
        try:
            await test(scorer)
        finally:
            await scorer.close()

    asyncio.run(body())


def test_many_at_once_get_what_each_gets_alone(model, histories) -> None:
    alone = score(model, histories)

    async def test(scorer: Scorer) -> None:
        found = await asyncio.gather(*(scorer.score(model, each) for each in histories[:40]))
        assert all(map(same, found, alone[:40]))

    run(test)


def test_one_that_cannot_be_read_harms_no_other(model, histories) -> None:
    async def test(scorer: Scorer) -> None:
        asked = [histories[1], History([b"[1]"]), histories[2]]
        one, bad, two = await asyncio.gather(*(scorer.score(model, each) for each in asked), return_exceptions=True)
        assert isinstance(bad, RecentEventsError)
        assert all(map(same, [one, two], score(model, [histories[1], histories[2]])))

    run(test)


def test_too_many_are_told_to_come_back(model, histories) -> None:
    async def test(scorer: Scorer) -> None:
        found = await asyncio.gather(*(scorer.score(model, histories[0]) for _ in range(60)), return_exceptions=True)
        busy = [each for each in found if isinstance(each, ScorerBusyError)]
        assert len(busy) == 20
        assert str(busy[0]) == "40 predictions are waiting; ask again in a second"

    run(test)


def test_who_has_gone_is_not_waited_for(model, histories) -> None:
    async def test(scorer: Scorer) -> None:
        task = asyncio.create_task(scorer.score(model, histories[0]))
        await asyncio.sleep(0)
        task.cancel()
        assert (await scorer.score(model, histories[1])).known

    run(test)


def test_closing_answers_what_waits_and_refuses_the_rest(model, histories) -> None:
    async def body() -> None:
        scorer = Scorer()
        waiting = [asyncio.create_task(scorer.score(model, each)) for each in histories[:20]]
        await asyncio.sleep(0)
        await scorer.close()
        assert len(await asyncio.gather(*waiting)) == 20
        with pytest.raises(ScorerBusyError, match="shutting down"):
            await scorer.score(model, histories[0])

    asyncio.run(body())


def test_events_hash_by_hand() -> None:
    assert scoring.events_hash([]) == hashlib.blake2b(b"", digest_size=16).hexdigest()
    assert scoring.events_hash(["ü"]) == hashlib.blake2b("ü\n".encode(), digest_size=16).hexdigest()
