from datetime import date
from pathlib import Path

import pytest

from augury.retraining.app import App
from augury.retraining.errors import AppError, StoppedError
from augury.retraining.families import Places, family_of
from augury.retraining.window import DataWindow, WindowRule
from features.errors import AuguryError
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.creative_options import CreativeExamplesOptions
from pipelines.embeddings_options import CreativeEmbeddingsOptions
from pipelines.options import parse_options

WINDOW = DataWindow(date(2026, 8, 17), date(2026, 8, 24))
PLACES = Places("e", "r")


def app(family: str = "behavior", **more) -> App:
    data = {
        "behavior": {"events": "events/date={date}"},
        "attention": {"sets": "sets-{end}.toml"},
        "creative": {"catalogue": "photos", "recognizer": "rec"},
    }
    return App(family, "it", **{"data": data[family], **more})


@pytest.mark.parametrize("family", ["behavior", "attention", "creative"])
def test_a_good_description_is_followed(family: str) -> None:
    family_of(family).check(app(family), WINDOW)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (app(data={}), "data.events is missing; expected the path of what behavior models learn from"),
        (app(data={"events": "e", "sets": "s"}), "data.sets is unknown; expected one of events"),
        (app(data={"events": []}), r"data.events is \[\]; expected a path"),
        (app(data={"events": "e/{day}"}), r"'e/\{day\}' has \{day\}"),
        (app(examples={"generatr": "purchase"}), "examples.generatr is unknown; expected one of adapter, format, spec"),
        (app(examples={"window_start": "2026-01-01"}), "examples.window_start is set by the run itself"),
        (app(examples={"hash_size": "64"}), "examples.hash_size is '64'; expected a whole number"),
        (app(examples={"golden": -1}), "golden is -1; expected 0 to 1000000"),
        (app(examples={"generator": "purchas"}), "no example generator is called 'purchas'"),
        (app(examples={"test": 1.2}), "split: validation 0.1 and test 1.2 leave nothing to train on"),
        (app(examples={"adapter": "segmnt"}), "no adapter 'segmnt'"),
        (app(examples={"cleaning": "nowhere.toml"}), "cannot read nowhere.toml"),
        (app(examples={"spec": "nowhere.json"}), "cannot read nowhere.json"),
        (app(train={"units": 0}), "units is 0; expected a whole number from 1 to 4096"),
        (app(train={"resume": True}), "train.resume is set by the run itself"),
        (app("creative", data={"catalogue": "c"}), "data.recognizer is missing"),
        (app("creative", data={"catalogue": ["a", "b"], "recognizer": "r"}), "expected one path"),
        (app("attention", data={"sets": "{date}.toml"}), "which is several paths; {date} is for data.events only"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(description: App, message: str) -> None:
    with pytest.raises(AuguryError, match=message.replace("{date}", r"\{date\}")):
        family_of(description.family).check(description, WINDOW)


def test_a_family_that_is_not_known_is_refused() -> None:
    with pytest.raises(AppError, match="family is 'tea'; expected one of behavior, attention, creative"):
        family_of("tea")


def test_events_of_the_days_that_are_there_are_read(tmp_path: Path) -> None:
    for day in ("2026-08-18", "2026-08-24", "2026-08-25"):  # in the window, late, too late
        (tmp_path / f"date={day}").mkdir()
        (tmp_path / f"date={day}" / "part.jsonl").write_text("{}\n")
    given = app(
        data={"events": f"{tmp_path}/date={{date}}"},
        examples={"generator_params": {"days": 7}, "gap_minutes": 30},
        window=WindowRule(days=7, late_days=1),
    )
    (job,) = family_of("behavior").jobs(given, WINDOW, Places("e", "r", "spec.json"))
    options, rest = parse_options(ExamplesOptions, job.argv)
    assert rest == [] and options == ExamplesOptions(
        events=(f"{tmp_path}/date=2026-08-18", f"{tmp_path}/date=2026-08-24"),
        output="e",
        spec="spec.json",
        generator_params='{"days": 7}',
        gap_minutes=30.0,
        window_start="2026-08-17",
        window_end="2026-08-24",
        dead_letter="r/dead-letter",
    )
    assert (job.module, job.done) == ("pipelines.behavior_examples", "e/dataset_card.json")


def test_a_window_without_events_stops(tmp_path: Path) -> None:
    given = app(data={"events": f"{tmp_path}/date={{date}}"})
    with pytest.raises(
        StoppedError, match="there are no events from 2026-08-17 to 2026-08-23: no file is at"
    ) as caught:
        family_of("behavior").jobs(given, WINDOW, PLACES)
    assert caught.value.kind == "no_data"


def test_examples_that_are_made_need_no_source() -> None:
    family_of("behavior").check(app(data={}), WINDOW, made=True)
    with pytest.raises(AppError, match="data.recognizer is missing"):
        family_of("creative").check(app("creative", data={"catalogue": "c"}), WINDOW, made=True)


def test_creative_jobs_make_examples_and_then_vectors() -> None:
    jobs = family_of("creative").jobs(app("creative", examples={"size": 64, "variants": ["original"]}), WINDOW, PLACES)
    made, _ = parse_options(CreativeExamplesOptions, jobs[0].argv)
    assert (made.catalogue, made.size, made.variants) == ("photos", 64, ("original",))
    vectors, _ = parse_options(CreativeEmbeddingsOptions, jobs[1].argv)
    assert vectors == CreativeEmbeddingsOptions(examples="e", recognizer="rec", output="r/embeddings")
    training = family_of("creative").training(app("creative"), PLACES)
    assert "--embeddings=r/embeddings" in training.argv and "--resume" in training.argv
