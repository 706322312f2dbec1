"""What the families do differently in a retraining: what they read, the jobs that make examples, what is validated."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from augury.commands.flags import argv_of
from augury.retraining.app import App, checked
from augury.retraining.checks import Rate
from augury.retraining.errors import AppError, StoppedError
from augury.retraining.jobs import BAD_DATA, NO_DATA, Job, pipeline_argv
from augury.retraining.validation import Validation
from augury.retraining.window import DataWindow, expand
from features.attention_spec import AttentionSpec
from features.creative_spec import CreativeSpec
from features.fingerprinted import DATASET_CARD
from features.spec import FeatureSpec
from features.splits import SPLITS
from features.storage import list_files, read_text
from models.attention.options import TrainOptions as AttentionOptions
from models.behavior.options import TrainOptions as BehaviorOptions
from models.creative.conversion.options import ConversionOptions
from pipelines.attention_options import AttentionExamplesOptions
from pipelines.behavior_recipe import ExamplesOptions, check_options
from pipelines.creative_options import CreativeExamplesOptions
from pipelines.embeddings_options import CreativeEmbeddingsOptions

_CARD = "model_card.json"
_TRAINED = ("examples", "embeddings", "recognizer", "output", "work_dir", "resume")
_MADE = ("output", "overwrite", "dead_letter")


@dataclass(frozen=True)
class Places:
    """Where a run's jobs read and write.

    Attributes:
        examples: folder of the examples, local or remote.
        run: local folder of everything else.
        spec: path of a feature spec to code by; None lets the options say.
    """

    examples: str
    run: str
    spec: str | None = None

    @property
    def model(self) -> str:
        """The artifact."""
        return f"{self.run}/model"


class Family(ABC):
    """One family of models."""

    name: ClassVar[str]
    keys: ClassVar[Mapping[str, bool]]
    """Name of what is read -> whether it must be said."""

    source: ClassVar[str]
    """The one that examples are made of."""

    spec: ClassVar[type[FeatureSpec] | type[AttentionSpec] | type[CreativeSpec]]
    sticky = False
    """Whether the spec of the last run is used again, so that its examples and this run's can be compared."""

    def check(self, app: App, window: DataWindow, made: bool = False) -> None:
        """Refuses a description that cannot be followed, before any work.

        Args:
            app: the description.
            window: the days.
            made: examples are there already, so that nothing need be said of what they are made of.

        Raises:
            AppError: it cannot.
            AuguryError: an option is impossible.
        """
        for key, value in app.data.items():
            if key not in self.keys:
                raise AppError(f"data.{key} is unknown; expected one of {', '.join(self.keys)}")
            texts = value if isinstance(value, list) else [value]
            if not texts or not all(isinstance(text, str) and text for text in texts):
                raise AppError(f"data.{key} is {value!r}; expected a path")
            if isinstance(value, list) and key != "events":
                raise AppError(f"data.{key} is {value!r}; expected one path")
        lacking = [key for key, needed in self.keys.items() if needed and key not in app.data]
        if lacking and not (made and lacking == [self.source]):
            raise AppError(f"data.{lacking[0]} is missing; expected the path of what {self.name} models learn from")
        if not lacking:
            self.jobs(app, window, Places("examples", "run"), known=False)
        self.training(app, Places("examples", "run"))

    @abstractmethod
    def jobs(self, app: App, window: DataWindow, places: Places, known: bool = True) -> list[Job]:
        """Returns the jobs that make what is trained on.

        Args:
            app: the application.
            window: the days.
            places: of the run.
            known: look which paths there are; otherwise all are taken to be.
        """

    @abstractmethod
    def training(self, app: App, places: Places) -> Job:
        """Returns the job that trains."""

    @abstractmethod
    def validation(self, examples: str) -> Validation:
        """Returns what of the examples is validated."""

    def rates(self, card: Mapping[str, Any], examples: str) -> dict[str, Rate]:
        """Returns rates that the dataset card tells, where examples do not."""
        return {}

    def _path(self, app: App, key: str, window: DataWindow) -> str | None:
        if key not in app.data:
            return None
        found = expand(app.data[key], window)
        if len(found) != 1:
            raise AppError(f"data.{key} is {app.data[key]!r}, which is several paths; {{date}} is for data.events only")
        return found[0]


class Behavior(Family):
    """What visitors will do."""

    name = "behavior"
    keys: ClassVar[Mapping[str, bool]] = {"events": True}
    source = "events"
    spec = FeatureSpec
    sticky = True

    def jobs(self, app: App, window: DataWindow, places: Places, known: bool = True) -> list[Job]:
        given = dict(app.examples)
        if isinstance(given.get("generator_params"), Mapping):
            given["generator_params"] = json.dumps(given["generator_params"], sort_keys=True)
        reserved = ("events", "window_start", "window_end", *_MADE)
        values = checked("examples", ExamplesOptions, given, reserved)
        if places.spec is not None:
            values["spec"] = places.spec
        options = ExamplesOptions(
            events=self._events(app, window, known),
            output=places.examples,
            window_start=str(window.first),
            window_end=str(window.end),
            dead_letter=f"{places.run}/dead-letter",
            **values,
        )
        if not known:
            check_options(options)
        done = f"{places.examples}/{DATASET_CARD}"
        return [Job("examples", "pipelines.behavior_examples", pipeline_argv(options), done, BAD_DATA)]

    def _events(self, app: App, window: DataWindow, known: bool) -> tuple[str, ...]:
        """Returns the paths of the events; of a pattern with dates, those that are there."""
        given = app.data["events"]
        found: list[str] = []
        for pattern in given if isinstance(given, list) else [given]:
            paths = expand(pattern, window, app.window.late_days)
            if known and not pattern.startswith(("bq://", "bq-query://")):
                there = [path for path in paths if list_files(path)]
                if not any(path in there for path in paths[: window.days]):
                    raise StoppedError(
                        f"there are no events from {window}: no file is at {pattern}; check the path and "
                        "whether events were collected",
                        "examples",
                        NO_DATA,
                    )
                paths = there
            found += paths
        return tuple(found)

    def training(self, app: App, places: Places) -> Job:
        values = checked("train", BehaviorOptions, app.train, _TRAINED)
        options = BehaviorOptions(examples=places.examples, output=places.model, resume=True, **values)
        return Job("train", "models.behavior.train", tuple(argv_of(options)), f"{places.model}/{_CARD}")

    def validation(self, examples: str) -> Validation:
        spec = FeatureSpec.from_json(read_text(f"{examples}/{FeatureSpec.file}"))
        tensors = {
            name: tensor for name, tensor in spec.tensors().items() if name not in ("time_us", "visitor", "example_id")
        }
        return Validation(
            {name: "category" if tensor.dtype == "int64" else "number" for name, tensor in tensors.items()},
            tuple(name for name, tensor in tensors.items() if tensor.kind == "fixed"),
            label="label",
            timed=True,
        )


class Attention(Family):
    """Where people look."""

    name = "attention"
    keys: ClassVar[Mapping[str, bool]] = {"sets": True}
    source = "sets"
    spec = AttentionSpec

    def jobs(self, app: App, window: DataWindow, places: Places, known: bool = True) -> list[Job]:
        values = checked("examples", AttentionExamplesOptions, app.examples, ("sets", *_MADE))
        sets = self._path(app, "sets", window)
        assert sets is not None  # check() asked for it
        options = AttentionExamplesOptions(
            sets=sets, output=places.examples, dead_letter=f"{places.run}/dead-letter", **values
        )
        done = f"{places.examples}/{DATASET_CARD}"
        return [Job("examples", "pipelines.attention_examples", pipeline_argv(options), done, BAD_DATA)]

    def training(self, app: App, places: Places) -> Job:
        values = checked("train", AttentionOptions, app.train, _TRAINED)
        options = AttentionOptions(examples=places.examples, output=places.model, resume=True, **values)
        return Job("train", "models.attention.train", tuple(argv_of(options)), f"{places.model}/{_CARD}")

    def validation(self, examples: str) -> Validation:
        texts = dict.fromkeys(("set", "kind", "method"), "text")
        numbers = dict.fromkeys(("map/max", "fixations/x", "fixations/y"), "number")
        return Validation({**texts, **numbers}, (*texts, "map/max"))


class Creative(Family):
    """Which version of a photo converts."""

    name = "creative"
    keys: ClassVar[Mapping[str, bool]] = {"catalogue": True, "images": False, "conversions": False, "recognizer": True}
    source = "catalogue"
    spec = CreativeSpec

    def jobs(self, app: App, window: DataWindow, places: Places, known: bool = True) -> list[Job]:
        reserved = ("catalogue", "images", "conversions", *_MADE)
        values = checked("examples", CreativeExamplesOptions, app.examples, reserved)
        catalogue, recognizer = (self._path(app, key, window) for key in ("catalogue", "recognizer"))
        assert catalogue is not None and recognizer is not None  # check() asked for them
        options = CreativeExamplesOptions(
            catalogue=catalogue,
            output=places.examples,
            images=self._path(app, "images", window),
            conversions=self._path(app, "conversions", window),
            dead_letter=f"{places.run}/dead-letter",
            **values,
        )
        vectors = CreativeEmbeddingsOptions(
            examples=places.examples, recognizer=recognizer, output=f"{places.run}/embeddings"
        )
        done, embedded = (f"{folder}/{DATASET_CARD}" for folder in (options.output, vectors.output))
        return [
            Job("examples", "pipelines.creative_examples", pipeline_argv(options), done, BAD_DATA),
            Job("embeddings", "pipelines.creative_embeddings", pipeline_argv(vectors), embedded),
        ]

    def training(self, app: App, places: Places) -> Job:
        values = checked("train", ConversionOptions, app.train, _TRAINED)
        options = ConversionOptions(
            examples=places.examples,
            embeddings=f"{places.run}/embeddings",
            recognizer=app.data["recognizer"],
            output=places.model,
            resume=True,
            **values,
        )
        return Job("train", "models.creative.conversion.train", tuple(argv_of(options)), f"{places.model}/{_CARD}")

    def validation(self, examples: str) -> Validation:
        texts = dict.fromkeys(("variant", "kind", "brand", "gender"), "text")
        return Validation(texts, tuple(texts))

    def rates(self, card: Mapping[str, Any], examples: str) -> dict[str, Rate]:
        spec = CreativeSpec.from_json(read_text(f"{examples}/{CreativeSpec.file}"))
        found = {}
        for target in spec.targets:
            counts = [card["splits"][split]["conversions"] for split in SPLITS]
            count, among = (sum(int(part.get(name, 0)) for part in counts) for name in (target.count, target.among))
            if among:
                found[target.name] = Rate(count, among)
        return found


FAMILIES: Mapping[str, Family] = {family.name: family for family in (Behavior(), Attention(), Creative())}
"""Name -> what the family does differently."""


def family_of(name: str) -> Family:
    """Returns a family.

    Raises:
        AppError: there is no such family.
    """
    if name not in FAMILIES:
        raise AppError(f"family is {name!r}; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[name]
