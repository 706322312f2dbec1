"""Audiences: the visitors of some segments, from a batch prediction, as a CSV that people or ad platforms take."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.contacts import hash_id
from features.errors import AuguryError
from features.recent_rules import RESERVED_PREFIX
from features.storage import exists, list_files, open_atomic, open_filesystem, read_bytes
from features.tombstones import FORGOTTEN, Tombstones
from models.behavior.segments import SEGMENTS

CARD = "predictions_card.json"
PLATFORMS = {"google": {"email": "Email"}, "meta": {"email": "email", "user_id": "extern_id"}}
"""Platform -> id -> the column's header in its form of a customer list.

Google Customer Match: https://support.google.com/google-ads/answer/7659867. Its lists of user ids are uploaded as they
are, so there is no hashed form of them. Meta Custom Audiences: https://www.facebook.com/business/help/2082575038703844.
"""
IDS = ("email", "user_id")

NO_ID = {"email": "no_email", "user_id": "no_user_id"}
OTHER_SEGMENT, NOT_KNOWN, COPY = "other_segment", "not_known", "same_id"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four: full width
_GUARD = "'"

_COLUMNS = ("visitor", "probability", "segment", "known", "email_sha256")
_PLAIN = ("visitor", "user_id", "probability", "segment")


class AudienceError(AuguryError, ValueError):
    """An audience that cannot be made."""


@dataclass(frozen=True)
class Wanted:
    """Who belongs to an audience, and how they are named.

    Attributes:
        segments: names as ``models.behavior.segments`` has them.
        hashed: email or user_id, to write its SHA-256 alone; None writes visitors as they are.
        platform: one of ``PLATFORMS``, whose headers are used; None for ``email_sha256`` or ``user_id_sha256``.
        exact: write visitors and user ids as they are, even those that a spreadsheet would take for a formula.
    """

    segments: tuple[str, ...]
    hashed: str | None = None
    platform: str | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.hashed not in (None, *IDS):
            raise AudienceError(f"hashed is {self.hashed!r}; expected {' or '.join(IDS)}")
        if self.exact and self.hashed is not None:
            raise AudienceError("exact is of ids as they are, and hashed writes none; leave out one of them")
        if self.platform is not None:
            if self.platform not in PLATFORMS:
                raise AudienceError(f"platform is {self.platform!r}; expected {' or '.join(PLATFORMS)}")
            if self.hashed not in PLATFORMS[self.platform]:
                raise AudienceError(
                    f"{self.platform} takes no list of hashed {self.hashed or 'visitors'}; choose with hashed one of "
                    f"{', '.join(PLATFORMS[self.platform])}"
                )

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns that are written."""
        if self.hashed is None:
            return _PLAIN
        return (f"{self.hashed}_sha256" if self.platform is None else PLATFORMS[self.platform][self.hashed],)


@dataclass
class Audience:
    """What was written.

    Attributes:
        model: that predicted.
        version: that predicted.
        window_end_us: what the predictions are of.
        rows: visitors, or their ids, that were written.
        formulas: rows with an id that ``guarded`` changes, or would if exact ones were not wanted.
        left_out: reason -> visitors of the predictions that were not.
    """

    model: str
    version: str
    window_end_us: int
    rows: int = 0
    formulas: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def segment_names(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the segments that words name: ``very-high`` and ``very_high`` are ``very high``.

    Raises:
        AudienceError: there is no such segment.
    """
    named = {word: word.replace("-", " ").replace("_", " ").strip().lower() for word in words}
    unknown = [word for word, name in named.items() if name not in SEGMENTS]
    if unknown or not named:
        expected = ", ".join(name.replace(" ", "-") for name in SEGMENTS)
        raise AudienceError(f"segment {', '.join(map(repr, unknown)) or 'is missing'}; expected {expected}")
    return tuple(dict.fromkeys(named.values()))


def guarded(name: str) -> str:
    """Returns an id with an apostrophe before it if a spreadsheet would take it for a formula, so that it is text.

    Ids come from outside: whoever sends an event chooses one. An id that begins with an apostrophe gets another one, so
    that taking off the first, where there is one, always gives the id.
    """
    return f"{_GUARD}{name}" if name.startswith((*_FORMULA, _GUARD)) else name


def check_output(output: str, overwrite: bool) -> None:
    """Refuses a list that is there already, unless it may be replaced.

    Raises:
        AudienceError: it is there.
        StorageError: the storage could not be reached or asked.
    """
    if not overwrite and exists(output):
        raise AudienceError(f"{output} is there already; choose another output or pass --overwrite")


def write_audience(
    predictions: str,
    output: str,
    wanted: Wanted,
    model: str | None = None,
    tombstones: str | None = None,
    overwrite: bool = False,
) -> Audience:
    """Writes an audience from the folder of a batch prediction; the file appears whole or not at all.

    Whoever was forgotten since the predictions were made is left out, by the tombstones that the prediction looked at
    (they are read again) and those given; who opted out or was forgotten before is in no prediction.

    Args:
        predictions: folder that ``augury batch-predict`` wrote, local or ``gs://``.
        output: the CSV.
        wanted: who belongs to it.
        model: what must have predicted; None takes any.
        tombstones: a folder of tombstones besides.
        overwrite: replace the CSV if it is there.

    Raises:
        AudienceError: the CSV is there, or the folder holds no whole prediction, or another model's.
        StorageError: something cannot be read or written.
    """
    check_output(output, overwrite)
    card = _card(predictions)
    if model is not None and card["model"] != model:
        raise AudienceError(f"{predictions} was predicted by {card['model']!r}, not by {model!r}; name that model")
    if wanted.hashed == "email" and not card["emails"]:
        raise AudienceError(f"{predictions} was made without e-mail addresses; run augury batch-predict with --emails")
    folders = [*card["tombstones"], *([tombstones] if tombstones else [])]
    forgotten = Tombstones.union(map(Tombstones.load, folders))
    found = Audience(card["model"], card["version"], card["window"]["end_us"])
    since_us = min(card["created_us"], found.window_end_us)
    seen: set[str] = set()
    with open_atomic(output, "w") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(wanted.header)
        for part in _parts(predictions):
            for row in _chosen(part, wanted, forgotten, since_us, found.left_out):
                if wanted.hashed is not None and row[0] in seen:
                    found.left_out[COPY] += 1
                    continue
                seen.add(row[0])
                safe = tuple(map(guarded, row))
                found.formulas += safe != row
                rows.writerow(row if wanted.exact else safe)
                found.rows += 1
    return found


def _card(predictions: str) -> dict[str, Any]:
    path = f"{predictions.rstrip('/')}/{CARD}"
    if not exists(path):
        raise AudienceError(f"{predictions} holds no {CARD}, so it is no whole prediction; run augury batch-predict")
    try:
        card = orjson.loads(read_bytes(path))
        for name in ("model", "version", "created_us", "window", "tombstones", "emails"):
            card[name]
        return dict(card)
    except (orjson.JSONDecodeError, KeyError, TypeError) as e:
        raise AudienceError(f"{path} is no card of a prediction ({e}); run augury batch-predict again") from e


def _parts(predictions: str) -> Iterator[pa.Table]:
    for path in list_files(f"{predictions.rstrip('/')}/predictions-*"):
        fs, target = open_filesystem(path)
        with fs.open(target, "rb") as file:
            if path.endswith(".parquet"):
                yield pq.read_table(io.BytesIO(file.read()), columns=list(_COLUMNS))
            else:
                types = {"visitor": pa.string(), "email_sha256": pa.string(), "known": pa.bool_()}
                options = pacsv.ConvertOptions(include_columns=list(_COLUMNS), column_types=types)
                yield pacsv.read_csv(file, convert_options=options)


def _chosen(
    part: pa.Table, wanted: Wanted, forgotten: Tombstones, since_us: int, left_out: Counter[str]
) -> Iterator[tuple[str, ...]]:
    """Yields the rows of an audience, most likely first within a part, and counts who is left out."""
    names = part.column("visitor").combine_chunks()
    gone = forgotten.until(names) >= since_us
    known = part.column("known").to_numpy(False).astype(bool)
    segment = np.array(part.column("segment").to_pylist(), object)
    ours = np.isin(segment, np.array(wanted.segments, object))
    reasons = np.select([gone, ~known, ~ours], [FORGOTTEN, NOT_KNOWN, OTHER_SEGMENT], default="")
    left_out.update(str(reason) for reason in reasons[reasons != ""])
    rows = np.flatnonzero(reasons == "")
    rows = rows[np.argsort(-part.column("probability").to_numpy()[rows], kind="stable")]
    chosen = part.take(pa.array(rows)).to_pylist()
    for row in chosen:
        visitor = row["visitor"]
        user = visitor.removeprefix(RESERVED_PREFIX) if visitor.startswith(RESERVED_PREFIX) else None
        if wanted.hashed is None:
            yield visitor, user or "", repr(row["probability"]), row["segment"]
            continue
        hashed = row["email_sha256"] if wanted.hashed == "email" else user and hash_id(user)
        if hashed:
            yield (hashed,)
        else:
            left_out[NO_ID[wanted.hashed]] += 1
