import numpy as np

from features.bucketing import Linear, MinMax, OneHot
from features.coding import CodedInstances
from features.spec import Feature, FeatureSpec, HashSpec
from models.behavior.layout import Layout, Packed, pack

CODED = CodedInstances(
    rows=np.array([0, 1, 2]),
    lengths=np.array([2, 1, 1]),
    hash_values=np.array([3, 5, 7, 1, 2, 9]),
    hash_lengths=np.array([2, 1, 3, 0]),
    steps={"dwell": np.array([1, 2, 3, 4]), "position": np.array([0, 1, 0, 0])},
    metadata={"device": np.array([1, 0, 2]), "span": np.array([0.5, 0.25, 1.0], np.float32)},
    event_rows=np.arange(4),
    last_time_us=np.array([10, 20, 30]),
)
LAYOUT = Layout(16, {"dwell": 5, "position": 2}, {"device": 3}, frozenset(), ("span",), 2)


VISITS = Feature("visits", Linear(low=0, step=1, bins=5), of="visit_count")


def test_the_layout_of_a_spec() -> None:
    spec = FeatureSpec(
        hash=HashSpec(size=128),
        steps=(Feature("dwell", Linear(low=0, step=1, bins=3)),),
        metadata=(Feature("span", MinMax(0, 1)), Feature("device", OneHot(("desktop", "mobile"))), VISITS),
        classes=3,
    )
    # 3 bins and one for missing; 2 words, one place for others and one for none
    assert Layout.of(spec) == Layout(128, {"dwell": 4}, {"device": 4, "visits": 6}, frozenset({"visits"}), ("span",), 3)


def test_packing_keeps_the_order_of_the_layout() -> None:
    packed = pack(CODED, LAYOUT)
    np.testing.assert_array_equal(packed.steps, [[1, 0], [2, 1], [3, 0], [4, 0]])
    np.testing.assert_array_equal(packed.categories, [[1], [0], [2]])
    np.testing.assert_array_equal(packed.numbers, [[0.5], [0.25], [1.0]])
    assert {name: values.dtype.name for name, values in packed.arrays().items()} == {
        "lengths": "int32",
        "hash_lengths": "int32",
        "hash_values": "int32",
        "steps": "int32",
        "categories": "int32",
        "numbers": "float32",
    }


def test_taking_instances_takes_their_steps_and_bits() -> None:
    taken = pack(CODED, LAYOUT).take(np.array([1, 0]))
    np.testing.assert_array_equal(taken.lengths, [1, 2])
    np.testing.assert_array_equal(taken.hash_lengths, [3, 2, 1])
    np.testing.assert_array_equal(taken.hash_values, [1, 2, 9, 3, 5, 7])
    np.testing.assert_array_equal(taken.steps, [[3, 0], [1, 0], [2, 1]])
    np.testing.assert_array_equal(taken.categories, [[0], [1]])
    np.testing.assert_array_equal(taken.numbers, [[0.25], [0.5]])


def test_a_step_without_hash_bits_is_kept() -> None:
    taken = pack(CODED, LAYOUT).take(np.array([2]))
    assert taken.hash_lengths.tolist() == [0]
    assert len(taken.hash_values) == 0
    assert len(taken) == 1


def test_no_numbers_are_a_matrix_without_columns() -> None:
    packed = pack(CODED, Layout(16, {}, {"device": 3}, frozenset(), (), 2))
    assert packed.numbers.shape == (3, 0)
    assert packed.steps.shape == (4, 0)
    assert isinstance(packed, Packed)
