"""Scoring: visitors' recent events to probabilities, several visitors coded at once, one graph call for each.

The service scores what its fast store holds, the batch pipeline what it read from the archive, both by this module.
Every instance is coded from its own events and is a call of the graph by itself, so no bit of an answer depends on who
else was asked about.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.coding import CodedInstances, FeatureCoder
from features.current import current_slices
from features.ragged import offsets_of
from features.recent_events import RecentRules, decode_events
from features.sessions import VISITOR, SessionRules, Sessions, Window, build_sessions
from features.slices import Slices
from features.spec import FeatureSpec, FeatureSpecError
from models.behavior.loaded import FAMILY, Floats, LoadedModel, load_model
from models.cards import ModelError
from models.registry import IntegrityError, Registry

NO_SPEC, OTHER_SPEC, CHANGED_SPEC = "no_feature_spec", "other_feature_spec", "changed_since_published"
"""Why nothing can be said of the instances of a version."""

_ANY_TIME = Window(0, 1)  # decides what is censored, which nobody asks here


class History(NamedTuple):
    """A visitor's recent events.

    Attributes:
        rows: as ``features.recent_events.encode_events`` writes them, in any order.
        full: whether older events may have been left out.
    """

    rows: Sequence[bytes]
    full: bool = False


@dataclass(frozen=True)
class Scored:
    """What the model says of a visitor.

    Attributes:
        probabilities: float32 (C,); the base rates where there is nothing to predict from.
        known: whether there was.
        events_used: number of steps of the instance.
        events_hash: BLAKE2b-128, in hex, of their message ids, each with a line feed after it; empty where none.
        truncated: the instance has fewer steps than the model reads and begins at the first event that is kept, so that
            training, which had older ones, might have seen more.
    """

    probabilities: Floats
    known: bool = False
    events_used: int = 0
    events_hash: str = ""
    truncated: bool = False


class Instances(NamedTuple):
    """The instances of several visitors.

    Attributes:
        sessions: of those who have events.
        slices: one a visitor who has events.
        coded: one a visitor who has a visible event; ``coded.rows`` are rows of ``slices``.
    """

    sessions: Sessions
    slices: Slices
    coded: CodedInstances


def code_histories(coder: FeatureCoder, columns: Sequence[str], histories: Sequence[History]) -> Instances:
    """Returns the instances of several visitors, those without events left out, in their order.

    Args:
        coder: of the model's spec.
        columns: ``required_columns`` of that spec.
        histories: at least one of them has events.

    Raises:
        RecentEventsError: a stored row that this version cannot read.
    """
    rows = [row for history in histories for row in history.rows]
    # Names that sort as their numbers do: the sessions come in the order of the histories.
    names = [f"{index:06d}" for index, history in enumerate(histories) for _ in history.rows]
    return code_events(coder, decode_events(rows, names, columns))


def code_events(coder: FeatureCoder, events: pa.Table) -> Instances:
    """Returns the instance that ends now of every visitor, in the order of their names.

    Args:
        coder: of the model's spec.
        events: recent events in any order, with the column ``visitor`` and ``required_columns`` of the spec.
    """
    rules = SessionRules(coder.spec.session_rules.gap_seconds, None)
    sessions, _ = build_sessions(events, rules, _ANY_TIME)
    slices = current_slices(sessions, coder.spec)
    return Instances(sessions, slices, coder.encode(sessions, slices))


def score(model: LoadedModel, histories: Sequence[History]) -> list[Scored]:
    """Returns what a model says of several visitors (N,), the same bits for each as if asked alone.

    Raises:
        RecentEventsError: a stored row that this version cannot read.
    """
    answers = [Scored(model.base_rates)] * len(histories)
    asked = [index for index, history in enumerate(histories) if history.rows]
    if asked:
        instances = code_histories(model.coder, model.columns, histories)
        for index, answer in zip(asked, answer_all(model, instances, [histories[i].full for i in asked]), strict=True):
            answers[index] = answer
    return answers


def answer_all(model: LoadedModel, instances: Instances, full: Sequence[bool]) -> list[Scored]:
    """Returns what a model says of visitors (V,), those without a visible event included.

    Args:
        model: to ask.
        instances: of V visitors, coded by ``model.coder``.
        full: of each visitor, whether older events may have been left out.
    """
    sessions, slices, coded = instances
    answers = [Scored(model.base_rates)] * len(slices)
    predictions = model.predictor.predict(coded)

    first_session = np.concatenate([[0], slices.session[:-1] + 1])
    at_the_beginning = (slices.session == first_session) & (slices.start == 0)
    lengths = np.zeros(len(slices), np.int64)
    lengths[coded.rows] = coded.lengths
    short = (at_the_beginning & (lengths < model.spec.sequence_length)).tolist()
    for place, cut in enumerate(full):
        if cut and short[place]:
            answers[place] = Scored(model.base_rates, truncated=True)
    ids = sessions.events.column("message_id").take(pa.array(coded.event_rows)).to_pylist()
    ends = offsets_of(coded.lengths).tolist()
    for row, place in enumerate(coded.rows.tolist()):
        used = ids[ends[row] : ends[row + 1]]
        answers[place] = Scored(predictions[row], True, len(used), events_hash(used), full[place] and short[place])
    return answers


def events_hash(message_ids: Sequence[str]) -> str:
    """Returns BLAKE2b-128, in hex, of message ids, each with a line feed after it."""
    text = "".join(f"{message_id}\n" for message_id in message_ids)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


class VersionScorer:
    """A version of a registry, asked about many visitors at once: what a batch job holds in each of its workers.

    Attributes:
        name: of the model.
        version: of the model.
        columns: event columns that it reads.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self.name, self.version, self.columns = model.name, model.version, model.columns

    @classmethod
    def load(cls, registry: str, name: str, version: str, rules: RecentRules) -> "VersionScorer":
        """Opens a version, every byte of it verified, and loads it.

        Args:
            registry: root of the registry, local or ``gs://``.
            name: of the model.
            version: of the model, by its whole name; see ``find_version``.
            rules: what is kept of a visitor; a model in need of more is refused.

        Raises:
            AuguryError: there is no such version, it is damaged, or it cannot be asked with these rules.
        """
        return cls(load_model(Registry(registry).open_version(FAMILY, name, version), name, version, rules))

    def predict(self, events: pa.Table, full: npt.NDArray[np.bool_]) -> pa.Table:
        """Returns what the model says of V visitors, in the order of their names, as the service would answer.

        Args:
            events: of these visitors, with the column ``visitor`` and ``columns``.
            full: bool (V,) in the order of the names, whether older events may have been left out.

        Returns:
            The columns visitor, probability (float32), probabilities (lists of float32), segment, events_used, known
            and truncated.
        """
        instances = code_events(self._model.coder, events.select([VISITOR, *self.columns]))
        answers = answer_all(self._model, instances, full.tolist())
        codes, names = instances.sessions.codes(VISITOR)
        owners = codes[instances.sessions.offsets[instances.slices.session]]
        headlines = [self._model.headline(answer.probabilities) for answer in answers]
        return pa.table(
            {
                VISITOR: names.take(pa.array(owners)),
                "probability": pa.array([probability for probability, _ in headlines], pa.float32()),
                "probabilities": pa.array([answer.probabilities for answer in answers], pa.list_(pa.float32())),
                "segment": [segment for _, segment in headlines],
                "events_used": pa.array([answer.events_used for answer in answers], pa.int64()),
                "known": [answer.known for answer in answers],
                "truncated": [answer.truncated for answer in answers],
            }
        )


def find_version(registry: str, name: str, word: str) -> str:
    """Returns the version of a model that a word stands for, see ``models.registry.Registry.resolve``."""
    return Registry(registry).resolve(FAMILY, name, word)


def version_specs(registry: str, name: str) -> tuple[dict[str, FeatureSpec], dict[str, str]]:
    """Returns the feature spec of every version of a model, and why the others have none that can be read.

    Of each version one file is read and compared with its manifest, no more.

    Raises:
        ModelError: there is no version at all.
    """
    opened = Registry(registry)
    specs: dict[str, FeatureSpec] = {}
    unusable: dict[str, str] = {}
    for version in opened.versions(FAMILY, name):
        try:
            manifest = opened.manifest(FAMILY, name, version)
            specs[version] = FeatureSpec.from_json(opened.read_file(manifest, FeatureSpec.file))
        except KeyError:
            unusable[version] = NO_SPEC
        except FeatureSpecError:
            unusable[version] = OTHER_SPEC
        except IntegrityError:
            unusable[version] = CHANGED_SPEC
    if not specs and not unusable:
        known = ", ".join(f"{FAMILY}/{each}" for each in opened.names(FAMILY)) or f"no model of {FAMILY}"
        raise ModelError(f"there is no {FAMILY}/{name} in {registry}; it has {known}")
    return specs, unusable
