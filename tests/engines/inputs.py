"""Small inputs of the pipelines that make data sets, and the arguments that name them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from augury.simulator import SimulationOptions, read_truth, simulate
from augury.simulator_trouble import Trouble
from models.registry import Registry
from tests.tiny_model import SPEC

_MUCH_TROUBLE = Trouble(bots=0.01, over_active=0.002, test_visitors=0.01, malformed=0.01)


@dataclass(frozen=True)
class Job:
    """A pipeline and what it reads.

    Attributes:
        module: of the pipeline.
        arguments: all of its own but the output.
    """

    module: str
    arguments: tuple[str, ...]

    def command(self, output: Path, *more: str) -> list[str]:
        """Returns the arguments of a run."""
        return [*self.arguments, "--output", str(output), *more]


def behavior_job(folder: Path, visitors: int = 1500, *more: str) -> Job:
    """About eleven events a visitor, with bots, copies and broken rows among them, in several files."""
    simulated = simulate(
        SimulationOptions(
            str(folder / "shop"), visitors=visitors, visitors_per_file=-(-visitors // 4), trouble=_MUCH_TROUBLE
        )
    )
    return Job(
        "pipelines.behavior_examples",
        ("--events", simulated.events, "--shards", "5", "--max_bad_share", "0.2", "--link_visitors", *more),
    )


def outcomes_job(folder: Path) -> Job:
    """Events, a log of three predictions, and a registry with the spec of the version that made them."""
    simulated = simulate(SimulationOptions(str(folder / "shop"), visitors=200))
    model = folder / "model"
    model.mkdir()
    (model / "model_card.json").write_text(json.dumps({"family": "behavior", "metrics": {}}))
    (model / "feature_spec.json").write_text(SPEC.to_json())
    version = Registry(folder / "registry").publish(str(model), "behavior", "purchase")
    visitors = read_truth(folder / "shop").column("anonymous_id").slice(0, 3)
    log = {"visitor": visitors, "version": [version] * 3, "model": ["purchase"] * 3}
    times = pa.array([simulated.window[0] + 86_400_000_000] * 3)
    (folder / "log").mkdir()
    pq.write_table(pa.table({**log, "time_us": times, "probability": [0.1, 0.2, 0.3]}), folder / "log" / "p.parquet")
    return Job(
        "pipelines.outcome_report",
        (
            *("--events", simulated.events, "--adapter", "segment", "--predictions", str(folder / "log")),
            *("--model", "purchase", "--registry", str(folder / "registry"), "--shards", "3"),
        ),
    )


def attention_job(folder: Path, images: int = 24) -> Job:
    """Photos with two people's fixations each, an unreadable one, two that look alike and rows without a photo."""
    rows = ["image,subject,order,x,y"]
    for number in range(images):
        _photo(folder / f"looked/{number:03d}.png", seed=max(number, 1), width=128, height=96)  # 0 is as 1
        for subject in range(2):
            for order in range(4):
                place = np.random.default_rng([number, subject, order]).integers(0, 96, 2)
                rows.append(f"{number:03d}.png,{subject},{order},{place[0]},{place[1]}")
    (folder / "looked/broken.png").write_bytes(b"no picture")
    rows.append("missing.png,0,0,1,1")
    (folder / "gaze.csv").write_text("\n".join(rows) + "\n")
    (folder / "sets.toml").write_text(
        f"[[set]]\nname = 'shop'\nimages = {json.dumps(str(folder / 'looked'))}\n"
        f"gaze = [{{path = {json.dumps(str(folder / 'gaze.csv'))}, method = 'eye'}}]\n"
    )
    own = ("--width", "64", "--height", "48", "--sigma_px", "8", "--shards", "4", "--max_bad_share", "0.5")
    return Job("pipelines.attention_examples", ("--sets", str(folder / "sets.toml"), *own))


def creative_job(folder: Path, products: int = 40) -> Job:
    """Product photos, two of which look alike and one is broken, with a table of conversions."""
    catalogue, table = ["product,image,brand,gender,name,kind"], ["product,variant,campaign,sent,opened,clicked"]
    for number in range(products):
        _photo(folder / f"photos/{number}.png", seed=max(number, 1), width=45, height=60)
        catalogue.append(f"p{number},photos/{number}.png,Acme,women,Shoe {number},Boot")
        table += [
            f"p{number},{variant},c{number % 2},20,{number % 7},{number % 3}" for variant in ("original", "swivel")
        ]
    (folder / "photos/0.png").write_bytes(b"no picture")
    (folder / "catalogue.csv").write_text("\n".join(catalogue) + "\n")
    (folder / "conversions.csv").write_text("\n".join(table) + "\n")
    own = ("--size", "32", "--validation", "0.25", "--test", "0.25", "--max_bad_share", "0.5")
    given = ("--catalogue", str(folder / "catalogue.csv"), "--conversions", str(folder / "conversions.csv"))
    return Job("pipelines.creative_examples", (*given, *own))


def embeddings_job(examples: Path, recognizer: Path) -> Job:
    """Creative examples that another job wrote, and a recogniser."""
    given = ("--examples", str(examples), "--recognizer", str(recognizer))
    return Job("pipelines.creative_embeddings", (*given, "--batch_size", "5"))


def data_jobs(folder: Path) -> Sequence[Job]:
    """The three pipelines that make examples, on inputs in folders of their own."""
    jobs = []
    for make in (behavior_job, attention_job, creative_job):
        (folder / make.__name__).mkdir()
        jobs.append(make(folder / make.__name__))
    return jobs


def _photo(path: Path, seed: int, width: int, height: int) -> None:
    """Writes a picture that looks like no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
