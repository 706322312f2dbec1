"""The Flex Templates: which pipelines there are one of, and what each takes from its own options."""

from dataclasses import dataclass

from pipelines.attention_options import AttentionExamplesOptions
from pipelines.batch_options import BatchPredictOptions
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.creative_options import CreativeExamplesOptions
from pipelines.ingest_events import IngestOptions
from pipelines.outcome_options import OutcomeOptions
from pipelines.warm_options import WarmStoreOptions

LEFT_OUT = ("processes",)
"""Options that say how one machine shares its work; on Dataflow the number of workers does."""


@dataclass(frozen=True)
class FlexTemplate:
    """One template.

    Attributes:
        name: of the module with the main, of the metadata file and of the image's tag.
        title: what the console calls it.
        description: one sentence.
        options: the pipeline's own options, a dataclass.
        image: target of the Dockerfile: ``workers``, or ``scoring`` where a model answers on the workers.
        streaming: whether the job runs until it is drained.
    """

    name: str
    title: str
    description: str
    options: type
    image: str = "workers"
    streaming: bool = False


TEMPLATES = (
    FlexTemplate(
        "behavior_examples",
        "Augury: behaviour examples",
        "Turns web events into training examples of a behaviour model.",
        ExamplesOptions,
    ),
    FlexTemplate(
        "attention_examples",
        "Augury: attention examples",
        "Turns images and gaze into training examples of an attention model.",
        AttentionExamplesOptions,
    ),
    FlexTemplate(
        "creative_examples",
        "Augury: creative examples",
        "Turns product photos and campaigns into training examples of a creative model.",
        CreativeExamplesOptions,
    ),
    FlexTemplate(
        "ingest_events",
        "Augury: ingest events",
        "Writes events from Pub/Sub to the archive and to the fast store.",
        IngestOptions,
        streaming=True,
    ),
    FlexTemplate(
        "warm_store",
        "Augury: warm store",
        "Fills the fast store from archived events.",
        WarmStoreOptions,
    ),
    FlexTemplate(
        "outcome_report",
        "Augury: outcomes of predictions",
        "Puts logged predictions beside what the visitors then did; augury outcome-report makes figures of it.",
        OutcomeOptions,
    ),
    FlexTemplate(
        "batch_predict",
        "Augury: batch predictions",
        "Scores every visitor of a window with a version of a behaviour model.",
        BatchPredictOptions,
        image="scoring",
    ),
)


def template(name: str) -> FlexTemplate:
    """Returns the template of a name; dashes are underscores.

    Raises:
        KeyError: there is none.
    """
    return {each.name: each for each in TEMPLATES}[name.replace("-", "_")]
