"""Simulated conversions: their truth, that counts follow it, and what the best on them is."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from features.conversions import CONVERSION_SCHEMA, MOST, SIMULATED
from features.creative_spec import COUNTS, CreativeSpec, VariantSpec
from transforms.creative_ceiling import ceilings, told
from transforms.creative_work import Product
from transforms.simulate_conversions import Simulation, simulate_conversions

SPEC = CreativeSpec()
PRODUCTS = [Product(number, f"p{number}", "", kind="Shoes") for number in range(60)]


def simulated(kind: str, **more: int) -> pa.RecordBatch:
    return simulate_conversions(PRODUCTS, SPEC, Simulation(kind, **more))


def test_in_the_papers_two_variants_convert() -> None:
    rows = simulated("paper", sends=200)
    assert rows.schema.names == [
        *CONVERSION_SCHEMA.names,
        "truth_open_rate",
        "truth_click_through",
        "truth_abandoned_cart",
        "truth_unsubscribed",
    ]
    assert rows.schema.metadata == {SIMULATED: b"paper"}
    found = rows.to_pylist()
    assert len(found) == 60 * 6
    assert {(row["variant"], row["truth_open_rate"], row["truth_unsubscribed"]) for row in found} == {
        ("original", 0.2, 0.2),
        ("brighter", 0.8, 0.8),
        ("darker", 0.2, 0.2),
        ("rotated", 0.8, 0.8),
        ("sketch", 0.2, 0.2),
        ("swivel", 0.2, 0.2),
    }
    assert {(row["campaign"], row["kind"]) for row in found} == {("simulated-paper", "Shoes")}
    opened = sum(row["opened"] for row in found if row["variant"] == "brighter")
    assert opened == pytest.approx(0.8 * 60 * 200, abs=4 * np.sqrt(60 * 200 * 0.16))
    clicked, abandoned = (sum(row[name] for row in found if row["variant"] == "darker") for name in COUNTS[2:4])
    assert clicked == pytest.approx(0.2 * 60 * 200, abs=4 * np.sqrt(60 * 200 * 0.16))
    assert abandoned == pytest.approx(0.2 * clicked, abs=4 * np.sqrt(clicked * 0.16))


def test_a_variant_of_another_name_converts_as_what_makes_it() -> None:
    spec = CreativeSpec(variants=(VariantSpec("original"), VariantSpec("glowing", "brighter")))
    rows = simulate_conversions(PRODUCTS[:1], spec, Simulation("paper")).to_pylist()
    assert [row["truth_open_rate"] for row in rows] == [0.2, 0.8]


@pytest.mark.parametrize("kind", ["paper", "campaigns"])
def test_neither_order_nor_company_changes_what_is_drawn(kind: str) -> None:
    whole = simulated(kind).to_pylist()
    alone = simulate_conversions([PRODUCTS[7]], SPEC, Simulation(kind)).to_pylist()
    assert alone == [row for row in whole if row["product"] == "p7"]
    assert simulate_conversions(PRODUCTS[::-1], SPEC, Simulation(kind)).to_pylist()[-len(alone) :] == [
        row for row in whole if row["product"] == "p0"
    ]
    assert simulated(kind, seed=1).to_pylist() != whole
    for row in whole:
        assert all(0 <= row[count] <= row[among] for count, among in MOST.items())


def test_campaigns_depend_on_all_that_is_said() -> None:
    rows = simulated("campaigns", campaigns=6, sends=50).to_pylist()
    assert len(rows) == 60 * 6 * 6
    assert len({row["campaign"] for row in rows if row["product"] == "p0"}) == 6
    truth = {}
    for row in rows:
        key = tuple(row[name] for name in ("variant", "campaign_type", "industry", "brand", "gender"))
        assert truth.setdefault(key, row["truth_open_rate"]) == row["truth_open_rate"]
    assert len(set(truth.values())) == len(truth)  # every part of the key makes a difference
    assert all(row["brand"] and row["gender"] for row in rows)
    known = dataclasses.replace(PRODUCTS[0], brand="Acme", gender="men")
    own = simulate_conversions([known], SPEC, Simulation("campaigns")).to_pylist()
    assert {(row["brand"], row["gender"]) for row in own} == {("Acme", "men")}


def test_no_products_are_no_conversions() -> None:
    rows = simulate_conversions([], SPEC, Simulation("campaigns"))
    assert (rows.num_rows, rows.schema.names[:13]) == (0, CONVERSION_SCHEMA.names)


def test_the_ceiling_of_the_paper_is_known() -> None:
    for _, sums in ceilings(simulated("paper"), SPEC):
        best = told(sums)
        assert best["accuracy"] == pytest.approx(0.8)
        assert best["log_loss"] == pytest.approx(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)), abs=1e-6)
    by_target = dict(ceilings(simulated("paper"), SPEC))
    # a third is .8, two thirds .2: positives 4/15 and 2/15, negatives 1/15 and 8/15; ties count half
    high, low, pairs = 4 / 15, 2 / 15, (6 / 15) * (9 / 15)
    assert told(by_target["open_rate"])["auc"] == pytest.approx(
        (high * (8 / 15) + (high * (1 / 15) + low * (8 / 15)) / 2) / pairs, abs=1e-6
    )


def test_the_ceiling_is_what_the_truth_scores_on_many_trials() -> None:
    rows = simulated("campaigns", sends=400)
    halves = [rows.slice(0, 700), rows.slice(700)]
    [whole] = [sums for target, sums in ceilings(rows, SPEC) if target == "click_through"]
    parts = [sums for half in halves for target, sums in ceilings(half, SPEC) if target == "click_through"]
    np.testing.assert_allclose(parts[0] + parts[1], whole)
    truth = rows.column("truth_click_through").to_numpy()
    clicked, sent = rows.column("clicked").to_numpy(), rows.column("sent").to_numpy()
    scores, labels = np.tile(truth, 2), np.repeat([1, 0], len(truth))
    weights = np.concatenate([clicked, sent - clicked])
    best = told(whole)
    assert best["auc"] == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=0.005)
    assert best["log_loss"] == pytest.approx(log_loss(labels, scores, sample_weight=weights), abs=0.005)
    right = np.where(truth > 0.5, clicked, sent - clicked).sum() / sent.sum()
    assert best["accuracy"] == pytest.approx(right, abs=0.005)
