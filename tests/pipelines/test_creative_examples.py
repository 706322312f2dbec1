"""The creative-examples pipeline on small photos, end to end on the DirectRunner."""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from features.catalogue import CatalogueError
from features.conversions import SIMULATED
from features.creative_spec import CreativeSpec
from features.images import decode_image
from features.strict import FeatureSpecError
from features.variants import VariantError
from features.variants_stored import make_variants
from pipelines import creative_recipe
from pipelines.creative_examples import make_creative_examples
from pipelines.creative_options import CreativeExamplesOptions, CreativeOptionError
from pipelines.creative_recipe import make_creative_recipe
from pipelines.launch import PipelineFailedError
from transforms.creative_work import PhotoTask


def photo(path: Path, seed: int, width: int = 45, height: int = 60) -> None:
    """Writes a picture that looks like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def shop(tmp_path: Path, products: int = 8) -> Path:
    for number in range(products):
        photo(tmp_path / "photos" / f"{number}.png", number)
    rows = [f"p{number},photos/{number}.png,Acme,women,Shoe {number},Boot" for number in range(products)]
    (tmp_path / "catalogue.csv").write_text("\n".join(["product,image,brand,gender,name,kind", *rows]) + "\n")
    return tmp_path / "catalogue.csv"


def run(tmp_path: Path, catalogue: Path, **more: Any) -> Any:
    given: dict[str, Any] = {"size": 32, "validation": 0.25, "test": 0.25, **more}
    return make_creative_examples(
        CreativeExamplesOptions(catalogue=str(catalogue), output=str(tmp_path / "data"), **given)
    )


def records(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(data[12 : 12 + size])
        data = data[16 + size :]
    return found


def examples(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Every example by product and variant."""
    found = {}
    for path in sorted(folder.glob("*/examples-*.tfrecord")):
        for row in ExamplesToRecordBatchDecoder(None).DecodeBatch(records(path)).to_pylist():
            row = {name: value[0] for name, value in row.items()}
            assert row["split"].decode() == path.parent.name
            assert found.setdefault((row["product"].decode(), row["variant"].decode()), row) is row
    return found


def letters(tmp_path: Path) -> Counter[tuple[str, str]]:
    rows = pq.read_table(tmp_path / "data-dead-letter").to_pylist()
    return Counter((row["reason"], os.path.basename(row["source"])) for row in rows)


def conversions(tmp_path: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted((tmp_path / "data").glob("*/conversions-*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def test_a_catalogue_becomes_the_examples_expected(tmp_path: Path) -> None:
    card = run(tmp_path, shop(tmp_path))
    assert card["photos"] == {"read": 8, "rejected": {}, "left_out": {}}
    assert card["simulated"] is False
    spec = CreativeSpec.from_json((tmp_path / "data/creative_spec.json").read_bytes())
    assert (card["fingerprint"], card["variants"]) == (spec.fingerprint, list(spec.variant_names))
    found = examples(tmp_path / "data")
    assert found.keys() == {(f"p{number}", name) for number in range(8) for name in spec.variant_names}
    row = found["p3", "swivel"]
    assert row.keys() == spec.tensors().keys()
    about = {name: row[name] for name in ("product", "kind", "brand", "gender", "name")}
    assert about == {"product": b"p3", "kind": b"Boot", "brand": b"Acme", "gender": b"women", "name": b"Shoe 3"}
    source = (tmp_path / "photos/3.png").read_bytes()
    assert row["image/id"].decode() == hashlib.sha256(source).hexdigest()
    made = dict(zip(spec.variant_names, make_variants(decode_image(source), spec), strict=True))
    for name in spec.variant_names:
        assert np.array_equal(decode_image(found["p3", name]["image/encoded"]), made[name])
    for split, counts in card["splits"].items():
        own = {product for (product, _), row in found.items() if row["split"].decode() == split}
        assert (counts["products"], counts["examples"]) == (len(own), 6 * len(own))
        assert counts["variants"] == (dict.fromkeys(sorted(spec.variant_names), len(own)) if own else {})
    assert sorted(path.name for path in (tmp_path / "data").iterdir() if path.is_file()) == [
        "creative_spec.json",
        "dataset_card.json",
    ]
    assert not (tmp_path / "data/.spool").exists()


def test_processes_and_shards_change_no_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = shop(tmp_path)
    run(tmp_path, catalogue, simulate="campaigns")
    before = examples(tmp_path / "data"), sorted(map(str, conversions(tmp_path)))
    monkeypatch.setattr(creative_recipe, "PHOTOS_A_SHARD", 2)
    monkeypatch.setattr(creative_recipe, "PHOTOS_A_TASK", 1)
    run(tmp_path, catalogue, simulate="campaigns", processes=2, overwrite=True)
    assert (examples(tmp_path / "data"), sorted(map(str, conversions(tmp_path)))) == before
    assert len(list((tmp_path / "data").glob("*/examples-*-of-00004.tfrecord"))) >= 4


def test_no_task_and_no_shard_grows_with_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(1000):
        (tmp_path / "photos" / f"{number:04d}.jpg").touch()
    recipe = make_creative_recipe(CreativeExamplesOptions(catalogue=str(tmp_path / "photos"), output="x"))
    tasks = [task for task in recipe.tasks if isinstance(task, PhotoTask)]
    assert recipe.shards == 16
    assert max(len(task.products) for task in tasks) <= creative_recipe.PHOTOS_A_TASK
    per_shard = Counter(task.shard for task in tasks for _ in task.products)
    assert set(per_shard) == set(range(16)) and max(per_shard.values()) <= creative_recipe.PHOTOS_A_SHARD
    assert [product.number for task in tasks for product in task.products] == list(range(1000))


def test_products_with_the_same_photo_share_a_split(tmp_path: Path) -> None:
    catalogue = shop(tmp_path)
    original = cv2.imread(str(tmp_path / "photos/0.png"))
    for number in range(12):
        copy = cv2.resize(original, (90 + number, 120 + number), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"photos/copy{number}.jpg"), copy)
    rows = "".join(f"c{number},photos/copy{number}.jpg,,,,\n" for number in range(12))
    catalogue.write_text(catalogue.read_text() + rows)
    card = run(tmp_path, catalogue)
    assert card["near_duplicates"] == {"most_bits": 4, "groups": 1, "products": 13}
    splits = {product: row["split"] for (product, _), row in examples(tmp_path / "data").items()}
    assert len({splits[name] for name in ("p0", *(f"c{number}" for number in range(12)))}) == 1
    run(tmp_path, catalogue, near_bits=-1, overwrite=True)
    splits = {product: row["split"] for (product, _), row in examples(tmp_path / "data").items()}
    assert len({splits[f"c{number}"] for number in range(12)}) > 1


def test_what_cannot_be_read_is_in_the_dead_letter(tmp_path: Path) -> None:
    catalogue = shop(tmp_path)
    (tmp_path / "photos/1.png").write_bytes(b"no picture")
    (tmp_path / "photos/2.png").write_bytes((tmp_path / "photos/2.png").read_bytes()[:60])
    photo(tmp_path / "photos/again.png", 50)
    (tmp_path / "photos/notes.txt").write_text("not named")
    more = ["p9,photos/gone.png,,,,", "p3,photos/again.png,,,,", ",photos/notes.txt,,,,", "short row"]
    catalogue.write_text(catalogue.read_text() + "\n".join(more) + "\n")
    card = run(tmp_path, catalogue, max_bad_share=0.6)
    rejected = card["photos"]["rejected"]
    assert rejected == {
        "duplicate_product": 1,
        "missing_file": 1,
        "no_product": 1,
        "not_an_image": 1,
        "truncated": 1,
        "wrong_columns": 1,
    }
    assert card["photos"]["read"] == 12
    found = letters(tmp_path)
    assert (found["not_an_image", "1.png"], found["missing_file", "catalogue.csv"]) == (1, 1)
    assert found.total() == 6
    assert {product for product, _ in examples(tmp_path / "data")} == {"p0", "p3", "p4", "p5", "p6", "p7"}
    with pytest.raises(PipelineFailedError, match=r"6 of 12 photos \(50.0%\) were rejected \(duplicate_product 1, "):
        run(tmp_path, catalogue, overwrite=True)
    assert (tmp_path / "data/dataset_card.json").exists()  # as it was
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_photo_that_goes_while_the_job_runs_is_a_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = shop(tmp_path)
    usual = creative_recipe.read_manifest

    def then_lose(*given: Any) -> Any:
        found = usual(*given)
        (tmp_path / "photos/4.png").unlink()
        return found

    monkeypatch.setattr(creative_recipe, "read_manifest", then_lose)
    card = run(tmp_path, catalogue, max_bad_share=0.2)
    assert card["photos"]["rejected"] == {"missing_file": 1}
    assert letters(tmp_path) == {("missing_file", "4.png"): 1}


def test_conversions_are_joined_and_those_that_fit_nothing_are_told(tmp_path: Path) -> None:
    catalogue = shop(tmp_path)
    (tmp_path / "photos/1.png").write_bytes(b"no picture")
    rows = [
        "sku,variant,campaign,campaign_type,industry,brand,sent,opened,clicked",
        "p0,brighter,spring,launch,fashion,Other,100,40,10",
        "p0,brighter,spring,launch,fashion,,50,10,",
        "p0,original,spring,launch,fashion,,100,30,5",
        "p7,swivel,autumn,,,,10,0,0",
        "p1,original,spring,,,,10,1,1",  # its photo is broken
        "p99,original,spring,,,,10,1,1",
        "p0,sepia,spring,,,,10,1,1",
        "p0,darker,spring,,,,10,11,1",
        "p0,darker,spring,,,,10,-1,1",
    ]
    (tmp_path / "counts.csv").write_text("\n".join(rows) + "\n")
    options = {"conversions": str(tmp_path / "counts.csv"), "conversion_columns": ("product=sku",)}
    card = run(tmp_path, catalogue, max_bad_share=0.6, **options)
    assert card["conversions"] == {
        "read": 9,
        "rejected": {
            "image_not_read": 1,
            "negative_count": 1,
            "opened_more_than_sent": 1,
            "unknown_product": 1,
            "unknown_variant": 1,
        },
    }
    names = (
        "product",
        "variant",
        "campaign",
        "campaign_type",
        "brand",
        "kind",
        "sent",
        "opened",
        "clicked",
        "abandoned",
    )
    assert sorted(tuple(row[name] for name in names) for row in conversions(tmp_path)) == [
        ("p0", "brighter", "spring", "launch", "Acme", "Boot", 150, 50, None, None),
        ("p0", "original", "spring", "launch", "Acme", "Boot", 100, 30, 5, None),
        ("p7", "swivel", "autumn", "", "Acme", "Boot", 10, 0, 0, None),
    ]
    splits = {product: row["split"].decode() for (product, _), row in examples(tmp_path / "data").items()}
    for path in (tmp_path / "data").glob("*/conversions-*.parquet"):
        assert {splits[row["product"]] for row in pq.read_table(path).to_pylist()} == {path.parent.name}
    assert letters(tmp_path)["unknown_product", "counts.csv"] == 1
    assert sum(split["conversions"]["rows"] for split in card["splits"].values()) == 3
    with pytest.raises(PipelineFailedError, match=r"5 of 9 rows of conversions \(55.6%\) were rejected"):
        run(tmp_path, catalogue, overwrite=True, max_bad_share=0.2, **options)


def test_events_are_counted_over_all_tables(tmp_path: Path) -> None:
    head = "product,variant,campaign,event,recipient"
    sent = [f"p0,sketch,c,email_sent,{who}" for who in ("ann", "bob", "eve")]
    first = [head, *sent, "p0,sketch,c,email_open,ann", "p0,sketch,c,click,ann"]
    second = [head, "p0,sketch,c,email_open,ann", "p0,sketch,c,email_open,bob", "p5,sketch,c,email_open,bob"]
    (tmp_path / "events").mkdir()
    (tmp_path / "events/1.csv").write_text("\n".join(first) + "\n")
    (tmp_path / "events/2.csv").write_text("\n".join(second) + "\n")
    card = run(tmp_path, shop(tmp_path), conversions=str(tmp_path / "events"), max_bad_share=0.2)
    [row] = conversions(tmp_path)
    assert [row[name] for name in ("sent", "opened", "clicked", "abandoned", "unsubscribed")] == [3, 2, 1, None, None]
    assert card["conversions"] == {"read": 8, "rejected": {"no_sends": 1}}  # p5 was never sent anything


@pytest.mark.parametrize("kind", ["paper", "campaigns"])
def test_simulated_conversions_say_so_everywhere(tmp_path: Path, kind: str) -> None:
    card = run(tmp_path, shop(tmp_path), simulate=kind, simulated_sends=5, seed=3)
    told = card["simulated"]
    assert (told["how"], told["seed"]) == (kind, 3)
    assert "whatever the photo shows" in told["truth"]
    best = [of for split in told["ceiling"].values() for of in split.values()]
    assert best and all(0.5 <= of["accuracy"] <= 1 for of in best)
    if kind == "paper":
        assert {of["accuracy"] for of in best} == {0.8}
    for path in (tmp_path / "data").glob("*/conversions-*.parquet"):
        schema = pq.read_schema(path)
        assert schema.metadata[SIMULATED] == kind.encode()
        assert [name for name in schema.names if name.startswith("truth_")] == [
            "truth_open_rate",
            "truth_click_through",
            "truth_abandoned_cart",
            "truth_unsubscribed",
        ]
    rows = conversions(tmp_path)
    assert len(rows) == 8 * 6 * (1 if kind == "paper" else 4)
    assert {row["campaign"].partition("-")[0] for row in rows} == {"simulated"}
    # whoever reads them again cannot pass them off as real
    again = tmp_path / "again"
    given = CreativeExamplesOptions(
        catalogue=str(tmp_path / "catalogue.csv"),
        output=str(again),
        conversions=str(tmp_path / "data/*/conversions-*.parquet"),
        size=32,
    )
    card = make_creative_examples(given)
    assert card["simulated"]["how"] == kind
    found = [pq.read_table(path) for path in again.glob("*/conversions-*.parquet")]
    assert all(table.schema.metadata[SIMULATED] == kind.encode() for table in found)
    assert sum(table.num_rows for table in found) == len(rows)


def test_a_seventh_variant_and_other_parameters(tmp_path: Path) -> None:
    catalogue = shop(tmp_path, 2)
    names = ("original", "recoloured", "swivel")
    card = run(tmp_path, catalogue, variants=names, variant_params='{"swivel": {"degrees": 20}}', image_format="jpeg")
    assert card["variants"] == list(names)
    spec = CreativeSpec.from_json((tmp_path / "data/creative_spec.json").read_bytes())
    assert spec.variants[2].params["degrees"] == 20.0
    assert examples(tmp_path / "data")["p1", "recoloured"]["image/encoded"][:2] == b"\xff\xd8"


def test_a_catalogue_without_a_readable_photo_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"")
    with pytest.raises(
        PipelineFailedError, match=r"1 of 1 photos \(100.0%\) were rejected \(\w+ 1\); at most 5.0% may be"
    ):
        run(tmp_path, tmp_path / "photos")
    with pytest.raises(PipelineFailedError, match="1 photos read, but no example was made"):
        run(tmp_path, tmp_path / "photos", max_bad_share=1.0)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"simulate": "both"}, CreativeOptionError, "simulate is 'both'; expected paper or campaigns"),
        (
            {"simulate": "paper", "conversions": "x.csv"},
            CreativeOptionError,
            "read from x.csv and simulated (paper) at once",
        ),
        ({"conversions": "gone.csv"}, CreativeOptionError, "gone.csv: no conversions there; check the path"),
        (
            {"conversion_columns": ("product=sku",)},
            CreativeOptionError,
            "conversion_columns are given, but no conversions",
        ),
        (
            {"conversions": "c.csv", "conversion_columns": ("sku",)},
            CreativeOptionError,
            "conversion column 'sku' is not",
        ),
        ({"near_bits": 32}, CreativeOptionError, "near_bits is 32; expected -1 to 31"),
        ({"validation": 0.5, "test": 0.5}, CreativeOptionError, "leave nothing to train on"),
        ({"variant_params": "{"}, CreativeOptionError, "variant_params is '{', which is not JSON"),
        ({"variant_params": "[1]"}, CreativeOptionError, "variant_params is '[1]'; expected such as"),
        ({"variant_params": '{"twirl": {}}'}, CreativeOptionError, "variant_params has 'twirl', which is not made"),
        ({"variants": ("original", "twirl")}, VariantError, "no variant is called 'twirl'"),
        ({"variants": ("sketch",)}, FeatureSpecError, "expected at least two, one of them made by 'original'"),
        ({"size": 4}, FeatureSpecError, "width: 4 is not possible; expected an integer from 16 to 2048"),
        ({"images": "nowhere"}, CatalogueError, "there are no files in"),
        ({"columns": ("image=photo",)}, CatalogueError, "has no column 'photo'"),
        ({"processes": 0}, CreativeOptionError, "processes is 0; expected 1 to"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    tmp_path: Path, more: dict[str, Any], error: type[Exception], message: str
) -> None:
    catalogue = shop(tmp_path, 1)
    with pytest.raises(error) as caught:
        run(tmp_path, catalogue, **more)
    assert message in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(CatalogueError, match="there are no files in"):
        run(tmp_path, tmp_path / "photos")
    (tmp_path / "photos/readme.txt").write_text("none")
    with pytest.raises(
        CreativeOptionError,
        match=r"is there; left out are 1 rows or files \(not_an_image_name 1\): check the path, --images and",
    ):
        run(tmp_path, tmp_path / "photos")
    with pytest.raises(CreativeOptionError, match="is no CSV; name the CSV first"):
        run(tmp_path, tmp_path / "photos", images=str(tmp_path / "photos"))
