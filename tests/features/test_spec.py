import hashlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.bucketing import Linear, MinMax, OneHot, PowerLaw, Quantile
from features.coding import CodedInstances
from features.sessions import SessionRules
from features.spec import Feature, FeatureSpec, FeatureSpecError, HashSpec, SplitSpec

_EVERY_KIND = FeatureSpec(
    sequence_length=10,
    hash=HashSpec(size=64, seed=7, fields=("event", "properties.sku"), max_tokens=4),
    steps=(Feature("dwell", Quantile(3, (1, 2.5))), Feature("price", Linear(0, 5, 9), of="properties.price")),
    metadata=(
        Feature("os", OneHot()),
        Feature("device", OneHot(("mobile",))),
        Feature("span", PowerLaw(1, 3, 99, 4)),
        Feature("visits", MinMax(1, 10), of="visit_count"),
    ),
    hides=("b", "a"),
    begins_after=("d", "c"),
    stats=("clicks",),
    classes=3,
    generator="purchase",
    generator_params={"horizon": 3, "names": ("x", "y")},
    split=SplitSpec("time", 0.2, 0, 5),
    session_rules=SessionRules(gap_seconds=1800, max_events=None),
)


@pytest.mark.parametrize("spec", [FeatureSpec(), _EVERY_KIND])
def test_round_trip(spec: FeatureSpec) -> None:
    again = FeatureSpec.from_json(spec.to_json())
    assert again == spec
    assert again.to_json() == spec.to_json()
    assert hash(again) == hash(spec)


def test_fingerprint_is_of_the_canonical_json_without_itself() -> None:
    plain = orjson.loads(_EVERY_KIND.to_json())
    fingerprint = plain.pop("fingerprint")
    assert fingerprint == hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert fingerprint == _EVERY_KIND.fingerprint


def test_order_of_keys_and_kind_of_number_do_not_change_the_fingerprint() -> None:
    one = FeatureSpec(steps=(Feature("dwell", Linear(0, 10, 5)),), hides=("a", "b"))
    other = FeatureSpec(steps=(Feature("dwell", Linear(0.0, 10.0, 5)),), hides=("b", "a"))
    assert one.fingerprint == other.fingerprint
    shuffled = orjson.dumps(dict(reversed(orjson.loads(one.to_json()).items())))
    assert FeatureSpec.from_json(shuffled).fingerprint == one.fingerprint


def test_a_spec_from_before_begins_after_keeps_its_meaning_and_its_fingerprint() -> None:
    plain = orjson.loads(FeatureSpec(hides=("a",)).to_json())
    assert "begins_after" not in plain
    assert FeatureSpec.from_json(orjson.dumps(plain)).begins_after == ()
    # computed before the key was there
    assert FeatureSpec().fingerprint == "d3ee9c32ef48b7a7bc40bad183f4fdcc2f0854c90245fbbefafdbdf8756d9a30"


def test_begins_after_is_sorted_and_part_of_the_fingerprint() -> None:
    one, other = FeatureSpec(begins_after=("a", "b")), FeatureSpec(begins_after=("b", "a"))
    assert one == other
    assert one.fingerprint == other.fingerprint != FeatureSpec().fingerprint
    assert orjson.loads(one.to_json())["begins_after"] == ["a", "b"]


@given(st.integers(2, 2**24), st.integers(0, 2**32 - 1), st.integers(1, 99))
def test_another_spec_has_another_fingerprint(size: int, seed: int, length: int) -> None:
    spec = FeatureSpec(sequence_length=length, hash=HashSpec(size=size, seed=seed))
    other = FeatureSpec(sequence_length=length + 1, hash=HashSpec(size=size, seed=seed))
    assert spec.fingerprint != other.fingerprint
    assert FeatureSpec.from_json(spec.to_json()).fingerprint == spec.fingerprint


def test_keys_left_out_have_their_default() -> None:
    assert FeatureSpec.from_json("{}") == FeatureSpec()
    assert FeatureSpec.from_json('{"hash": {"size": 64}}') == FeatureSpec(hash=HashSpec(size=64))


def _json(**values: Any) -> bytes:
    return orjson.dumps(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "feature spec is not JSON ("),
        (b"[1]", "feature spec: [1] is not an object; expected {sequence_length, hash,"),
        (_json(colour=1), "feature spec: unknown key 'colour'; expected one of sequence_length, hash,"),
        (_json(hash={"bits": 1}), "hash: unknown key 'bits'; expected one of size, seed, fields, max_tokens"),
        (_json(split={"by": "user"}), "split.by: 'user' is unknown; expected one of visitor, time"),
        (_json(split=3), "split: 3 is not an object; expected {by, validation, test, seed}"),
        (_json(session_rules={"gap": 1}), "session_rules: unknown key 'gap'; expected one of gap_seconds, max_events"),
        (_json(session_rules={"gap_seconds": 0}), "session_rules.gap_seconds: 0 is not possible"),
        (_json(session_rules={"max_events": 0}), "session_rules.max_events: 0 is not possible; expected an integer at"),
        (_json(sequence_length="40"), "sequence_length: '40' is not possible; expected an integer from 1 to 10000"),
        (_json(sequence_length=True), "sequence_length: True is not possible"),
        (_json(classes=1), "classes: 1 is not possible; expected an integer from 2 to 10000"),
        (_json(hash={"size": 1}), "hash.size: 1 is not possible; expected an integer from 2 to 16777216"),
        (_json(hash={"seed": -1}), "hash.seed: -1 is not possible; expected an integer from 0 to 4294967295"),
        (_json(hash={"fields": []}), "hash.fields: no field to hash; name at least one, e.g. 'event'"),
        (_json(hash={"fields": "event"}), "hash.fields: 'event' is not possible; expected a list of strings"),
        (_json(hash={"fields": ["url"]}), "hash.fields: 'url' is unknown; expected one of event, type, url.host,"),
        (_json(hash={"fields": ["properties."]}), "hash.fields: 'properties.' is unknown"),
        (_json(hash={"fields": ["event", "event"]}), "hash.fields: 'event' is there twice; name it once"),
        (_json(split={"validation": 0.5, "test": 0.5}), "split: validation 0.5 and test 0.5 leave nothing to train on"),
        (_json(split={"validation": -0.1}), "split: validation -0.1 and test 0.1 leave nothing to train on"),
        (_json(agent_from="ip"), "agent_from: 'ip' is unknown; expected one of user_agent, context"),
        (_json(visit_gap_seconds=0), "visit_gap_seconds: 0 is not possible; expected a finite number greater than 0"),
        (_json(begins_after=[1]), "begins_after: [1] is not possible; expected a list of strings"),
        (_json(hides="x"), "hides: 'x' is not possible; expected a list of strings"),
        (_json(generator=3), "generator: 3 is not possible; expected a name"),
        (_json(generator_params=[1]), "generator_params: [1] is not possible; expected an object"),
        (_json(version=2), "version: 2 is not the 1 that this code computes; write the examples again"),
        (_json(steps={}), "steps: {} is not possible; expected a list of features"),
        (_json(steps=[{"name": "dwell"}]), "steps: missing key 'coding'; add it"),
        (_json(steps=[{"coding": {"kind": "min_max"}}]), "steps: missing key 'name'; add it"),
        (
            _json(steps=[{"name": "dwell", "coding": {"kind": "spline"}}]),
            "steps.dwell.coding.kind: 'spline' is unknown; expected one of linear, power_law, quantile, min_max, one_h",
        ),
        (
            _json(steps=[{"name": "dwell", "coding": {"kind": "linear", "low": 0, "step": 1}}]),
            "steps.dwell.coding: missing key 'bins'; add it",
        ),
        (
            _json(steps=[{"name": "dwell", "coding": {"kind": "min_max", "low": 0, "high": 1}}]),
            "steps.dwell.coding: 'min_max' is unknown; expected one of linear, power_law, quantile",
        ),
        (
            _json(metadata=[{"name": "os", "coding": {"kind": "quantile", "bins": 3}}]),
            "metadata.os.coding: 'quantile' is unknown; expected one of one_hot",
        ),
        (
            _json(metadata=[{"name": "dwell", "coding": {"kind": "quantile", "bins": 3}}]),
            "metadata.dwell.of: 'dwell' is unknown; expected one of device, browser, os,",
        ),
        (
            _json(steps=[{"name": "Dwell", "coding": {"kind": "quantile", "bins": 3}}]),
            "feature name 'Dwell' is not possible; expected lower-case letters, digits, _",
        ),
        (
            _json(steps=[{"name": "dwell", "coding": {"kind": "quantile", "bins": 3}}] * 2),
            "steps names: 'dwell' is there twice; name it once",
        ),
    ],
)
def test_what_is_unknown_or_impossible_is_refused_in_one_line(text: bytes, message: str) -> None:
    with pytest.raises(FeatureSpecError, match=re.escape(message)) as caught:
        FeatureSpec.from_json(text)
    assert "\n" not in str(caught.value)


def test_edited_spec_is_refused() -> None:
    edited = FeatureSpec().to_json().replace('"sequence_length": 40', '"sequence_length": 41')
    with pytest.raises(FeatureSpecError, match="it was edited: write the examples again from a spec without 'fingerp"):
        FeatureSpec.from_json(edited)


def test_parameters_that_are_not_json_are_refused() -> None:
    with pytest.raises(FeatureSpecError, match="generator_params: .* cannot be written as JSON"):
        FeatureSpec(generator_params={"a": object()})


def test_required_columns() -> None:
    plain = ("message_id", "type", "event", "timestamp_us")
    assert FeatureSpec().required_columns() == (*plain, "url", "referrer", "user_agent")
    least = FeatureSpec(hash=HashSpec(fields=("event",)), metadata=())
    assert least.required_columns() == plain
    assert least.golden_columns == ("message_id", "anonymous_id", "type", "event", "timestamp_us")
    assert _EVERY_KIND.required_columns() == (*plain, "user_agent", "properties")
    from_context = FeatureSpec(hash=HashSpec(fields=("event",)), agent_from="context")
    assert from_context.required_columns() == (*plain, "url", "referrer", "context")


def test_needs_fitting() -> None:
    assert not FeatureSpec().needs_fitting
    assert _EVERY_KIND.needs_fitting
    assert FeatureSpec(steps=(Feature("dwell", Quantile(3)),)).needs_fitting


def test_tensors() -> None:
    spec = FeatureSpec(
        hash=HashSpec(size=64),
        steps=(Feature("position", Linear(0, 1, 9)),),
        metadata=(Feature("os", OneHot(("iOS",))), Feature("span", MinMax(0, 9))),
        stats=("clicks",),
        classes=3,
    )
    found = {name: (t.kind, t.dtype, t.shape, t.size) for name, t in spec.tensors().items()}
    assert found == {
        "hash/values": ("varlen", "int64", (None,), 64),
        "hash/lengths": ("varlen", "int64", (None,), None),
        "step/position": ("varlen", "int64", (None,), 10),
        "metadata/os": ("fixed", "int64", (1,), 3),
        "metadata/span": ("fixed", "float32", (1,), None),
        "label": ("fixed", "int64", (), 3),
        "time_us": ("fixed", "int64", (), None),
        "visitor": ("fixed", "bytes", (), None),
        "example_id": ("fixed", "bytes", (), None),
        "stats/clicks": ("fixed", "float32", (), None),
    }


def _ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def test_tensorflow_reads_what_tfx_bsl_wrote() -> None:
    example_coder = pytest.importorskip("tfx_bsl.coders.example_coder")
    tf = pytest.importorskip("tensorflow")
    spec = FeatureSpec(
        steps=(Feature("position", Linear(0, 1, 9)),),
        metadata=(Feature("span", MinMax(0, 1)), Feature("event_count", Linear(0, 1, 9))),
        stats=("clicks",),
    )
    coded = CodedInstances(
        rows=_ints(0, 1),
        lengths=_ints(2, 1),
        hash_values=_ints(3, 5, 9, 1),
        hash_lengths=_ints(2, 1, 1),
        steps={"position": _ints(0, 1, 0)},
        metadata={"span": np.array([0.5, 1], np.float32), "event_count": _ints(2, 1)},
        event_rows=_ints(0, 1, 2),
        last_time_us=_ints(10, 20),
    )
    batch = coded.to_record_batch(
        label=_ints(1, 0),
        visitor=pa.array(["a", "b"]),
        example_id=pa.array(["a/1", "b/2"]),
        stats={"clicks": np.array([7, 8], np.float32)},
    )
    parsed = tf.io.parse_example(example_coder.RecordBatchToExamplesEncoder().encode(batch), spec.parsing_spec(tf))
    found = {
        name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy().tolist()
        for name, value in parsed.items()
    }
    assert found == {
        "hash/values": [[3, 5, 9], [1]],
        "hash/lengths": [[2, 1], [1]],
        "step/position": [[0, 1], [0]],
        "metadata/span": [[0.5], [1.0]],
        "metadata/event_count": [[2], [1]],
        "label": [1, 0],
        "time_us": [10, 20],
        "visitor": [b"a", b"b"],
        "example_id": [b"a/1", b"b/2"],
        "stats/clicks": [7.0, 8.0],
    }
