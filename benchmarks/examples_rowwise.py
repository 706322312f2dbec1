"""One side of the comparison: the same examples by a row-at-a-time Beam pipeline.

The pipeline that Beam's own examples teach: rows as dictionaries from ``ReadFromParquet``, one DoFn that validates, one
that cleans, a key per visitor, a GroupByKey, plain Python per visitor and per event, ``WriteToTFRecord``. It does the
same job, counters, dead letters and golden-set candidates included. With ``--cached`` it remembers the hash buckets
and the parts of every URL it has seen, which is half of what the columnar pipeline is about; without, it hashes
event by event (URLs and user agents go through the library's parsers, which remember some by themselves).
"""

import argparse
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import apache_beam as beam
import mmh3
import orjson
from apache_beam.metrics import Metrics
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from example_generators.catalogue import generator_params, load_generator
from features.agents import is_bot, parse_agent
from features.events import EVENT_SCHEMA, MAX_EVENT_BYTES
from features.metadata import campaign_medium, referrer_kind
from features.spec import FeatureSpec
from features.splits import SPLITS
from features.tokens import column_tokens
from features.urls import parse_url

COLUMNS = "message_id anonymous_id user_id type event timestamp_us url referrer user_agent source context".split()
TEXTS = [field.name for field in EVENT_SCHEMA if field.name in COLUMNS and field.name != "timestamp_us"]
TYPES = {"track", "page", "screen", "identify", "group", "alias"}
EARLIEST_US, LATEST_US = 946_684_800_000_000, 4_102_444_800_000_000
ORDER = "Order Completed"


def main() -> None:
    """Makes the examples of ``--events`` in ``--output``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--cached", action="store_true")
    given = parser.parse_args()
    generator = load_generator("purchase")
    spec = FeatureSpec(
        hides=tuple(generator.hides),
        stats=tuple(generator.stats),
        generator="purchase",
        generator_params=generator_params(generator),
    )
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | "ReadRows" >> beam.io.ReadFromParquet(given.events, columns=COLUMNS)
        valid = rows | "ValidateRow" >> beam.ParDo(_Validate()).with_outputs("rejected", main="events")
        _ = (
            valid.rejected
            | "EncodeDeadLetter" >> beam.Map(lambda letter: orjson.dumps(letter).decode())
            | "WriteDeadLetters" >> beam.io.WriteToText(f"{given.output}/dead_letter/rows")
        )
        examples = (
            valid.events
            | "DropUnwanted" >> beam.ParDo(_Clean())
            | "KeyByVisitor" >> beam.Map(lambda row: (row["anonymous_id"], row))
            | "GroupByVisitor" >> beam.GroupByKey()
            | "MakeExamples" >> beam.ParDo(_MakeExamples(spec, given.cached)).with_outputs(*SPLITS, "golden")
        )
        _ = (
            examples["golden"]
            | "LowestRanks" >> beam.combiners.Top.Smallest(1000, key=lambda candidate: candidate["rank"])
            | "EncodeGolden" >> beam.FlatMap(lambda lowest: [orjson.dumps(candidate).decode() for candidate in lowest])
            | "WriteGolden" >> beam.io.WriteToText(f"{given.output}/golden/candidates")
        )
        for split in SPLITS:
            _ = examples[split] | f"Write_{split}" >> beam.io.WriteToTFRecord(
                f"{given.output}/{split}/examples", file_name_suffix=".tfrecord"
            )


class _Validate(beam.DoFn):
    def __init__(self) -> None:
        self._read = Metrics.counter("rowwise", "read")
        self._rejected = Metrics.counter("rowwise", "rejected")

    def process(self, element: dict[str, Any]) -> Iterator[Any]:
        self._read.inc()
        reason = self._reason(element)
        if reason is None:
            yield element
        else:
            self._rejected.inc()
            yield beam.pvalue.TaggedOutput("rejected", {"reason": reason, "row": element})

    def _reason(self, row: dict[str, Any]) -> str | None:
        if sum(len(row[name]) for name in TEXTS if row[name]) > MAX_EVENT_BYTES:
            return "too_large"
        if row["context"] is not None and not row["context"].startswith("{"):
            return "wrong_type"
        if row["type"] not in TYPES:
            return "unknown_type"
        if not row["event"]:
            return "no_event_name"
        if not (row["anonymous_id"] or row["user_id"]):
            return "no_visitor_id"
        if row["timestamp_us"] is None:
            return "no_time"
        return None if EARLIEST_US <= row["timestamp_us"] <= LATEST_US else "absurd_time"


class _Clean(beam.DoFn):
    def __init__(self) -> None:
        self._dropped = Metrics.counter("rowwise", "dropped")

    def process(self, element: dict[str, Any]) -> Iterator[dict[str, Any]]:
        own = element["source"] == "augury" or element["event"].startswith("Augury ")
        test = element["context"] is not None and '"test":true' in element["context"].replace(" ", "")
        if own or test or (element["user_agent"] and is_bot(element["user_agent"])):
            self._dropped.inc()
        else:
            yield element


class _MakeExamples(beam.DoFn):
    def __init__(self, spec: FeatureSpec, cached: bool) -> None:
        self._spec = spec
        self._cached = cached
        self._made = Metrics.counter("rowwise", "examples")

    def setup(self) -> None:
        spec = self._spec
        self._example = _example_class()
        fields: dict[str, list[str]] = {}
        for name in spec.hash.fields:
            fields.setdefault(name.partition(".")[0], []).append(name)

        def buckets(column: str, text: str | None) -> frozenset[int]:
            tokens = column_tokens(column, fields[column], text, spec.hash.max_tokens)
            return frozenset(mmh3.hash(token, spec.hash.seed, signed=False) % spec.hash.size for token in tokens)

        self._columns = sorted(fields)
        self._buckets = cache(buckets) if self._cached else buckets
        self._url = cache(parse_url) if self._cached else parse_url
        edges = {item.name: item.coding.edges.tolist() for item in spec.steps}
        self._edges = {
            **edges,
            **{i.name: i.coding.edges.tolist() for i in spec.metadata if hasattr(i.coding, "edges")},
        }
        self._words = {
            item.name: {word: n for n, word in enumerate(item.coding.vocabulary)}
            for item in spec.metadata
            if not hasattr(item.coding, "edges")
        }

    def process(self, element: tuple[str, Iterable[dict[str, Any]]]) -> Iterator[beam.pvalue.TaggedOutput]:
        visitor, rows = element
        seen, events = set(), []
        for row in sorted(rows, key=lambda row: (row["timestamp_us"], row["message_id"])):
            if row["message_id"] not in seen:
                seen.add(row["message_id"])
                events.append(row)
        if len(events) > 1000:
            return
        split = self._split(visitor)
        start = 0
        for end, row in enumerate(events):
            if row["event"] == ORDER:
                if end > start:
                    yield from self._outputs(split, visitor, events, start, end, 1)
                start = end + 1
        if start < len(events):
            yield from self._outputs(split, visitor, events, start, len(events), 0)

    def _outputs(
        self, split: str, visitor: str, events: list[dict[str, Any]], start: int, end: int, label: int
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        self._made.inc()
        yield beam.pvalue.TaggedOutput(split, self._encode(visitor, events, start, end, label))
        if split != "train":
            example_id = f"{visitor}/{events[end - 1]['timestamp_us']}/{end}"
            rank = mmh3.hash64(example_id, 0x601D, signed=False)[0]
            raw = events[start:end][-self._spec.sequence_length :]
            golden = {"example_id": example_id, "rank": rank, "label": label, "events": raw}
            yield beam.pvalue.TaggedOutput("golden", golden)

    def _split(self, visitor: str) -> str:
        rule = self._spec.split
        share = mmh3.hash(visitor, rule.seed, signed=False) / 2**32
        return SPLITS[(share >= 1 - rule.validation - rule.test) + (share >= 1 - rule.test)]

    def _encode(self, visitor: str, events: list[dict[str, Any]], start: int, end: int, label: int) -> bytes:
        spec = self._spec
        steps = events[start:end][-spec.sequence_length :]
        values: list[int] = []
        lengths: list[int] = []
        bins: dict[str, list[int]] = {"dwell": [], "time_of_day": [], "day_of_week": [], "position": []}
        visits, pages, medium = 1, set(), None
        before_us = None
        for position, event in enumerate(steps):
            found: set[int] = set()
            for column in self._columns:
                found |= self._buckets(column, event[column])
            values.extend(sorted(found))
            lengths.append(len(found))
            time_us = event["timestamp_us"]
            since_us = None if before_us is None else time_us - before_us
            before_us = time_us
            bins["dwell"].append(self._bin("dwell", None if since_us is None else since_us / 1_000_000))
            bins["time_of_day"].append(self._bin("time_of_day", time_us % 86_400_000_000 / 3_600_000_000))
            bins["day_of_week"].append(self._bin("day_of_week", (time_us // 86_400_000_000 + 3) % 7))
            bins["position"].append(self._bin("position", position))
            visits += since_us is not None and since_us > spec.visit_gap_seconds * 1_000_000
            if event["url"] is not None:
                url = self._url(event["url"])
                if url.host or url.path:
                    pages.add((url.host, url.path))
                medium = campaign_medium(url) or medium
        first, last = steps[0], steps[-1]
        agent = parse_agent(last["user_agent"]) if last["user_agent"] is not None else None
        referrer = first["referrer"] if (first["referrer"] or "").strip() else None
        metadata = {
            "device": self._word("device", agent and agent.device),
            "browser": self._word("browser", agent and agent.browser),
            "os": self._word("os", agent and agent.os),
            "referrer_kind": self._word(
                "referrer_kind", referrer_kind(self._url(first["url"] or ""), referrer and self._url(referrer))
            ),
            "campaign_medium": self._word("campaign_medium", medium),
            "visit_count": self._bin("visit_count", visits),
            "event_count": self._bin("event_count", len(steps)),
            "distinct_pages": self._bin("distinct_pages", len(pages)),
            "span": self._bin("span", (last["timestamp_us"] - first["timestamp_us"]) / 1_000_000),
        }
        time_on_site_us = events[end - 1]["timestamp_us"] - events[start]["timestamp_us"]
        example = self._example()
        feature = example.features.feature
        feature["hash/values"].int64_list.value.extend(values)
        feature["hash/lengths"].int64_list.value.extend(lengths)
        for name, step_bins in bins.items():
            feature[f"step/{name}"].int64_list.value.extend(step_bins)
        for name, place in metadata.items():
            feature[f"metadata/{name}"].int64_list.value.append(place)
        feature["label"].int64_list.value.append(label)
        feature["time_us"].int64_list.value.append(last["timestamp_us"])
        feature["visitor"].bytes_list.value.append(visitor.encode())
        feature["example_id"].bytes_list.value.append(f"{visitor}/{last['timestamp_us']}/{end}".encode())
        feature["stats/clicks"].float_list.value.append(end - start)
        feature["stats/time_on_site_seconds"].float_list.value.append(time_on_site_us / 1_000_000)
        encoded: bytes = example.SerializeToString()
        return encoded

    def _bin(self, name: str, value: float | None) -> int:
        edges = self._edges[name]
        return len(edges) + 1 if value is None else bisect_right(edges, value)

    def _word(self, name: str, word: str | None) -> int:
        words = self._words[name]
        return len(words) + 1 if word is None else words.get(word, len(words))


def _example_class() -> Any:
    """Returns ``tf.train.Example``, declared here so that TensorFlow need not be loaded to write it."""
    file = descriptor_pb2.FileDescriptorProto(name="rowwise_example.proto", package="rowwise", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, kind in (
        ("BytesList", kinds.TYPE_BYTES),
        ("FloatList", kinds.TYPE_FLOAT),
        ("Int64List", kinds.TYPE_INT64),
    ):
        message = file.message_type.add(name=name)
        message.field.add(name="value", number=1, type=kind, label=kinds.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), 1
    ):
        feature.field.add(
            name=name,
            number=number,
            type=kinds.TYPE_MESSAGE,
            type_name=f".rowwise.{kind}",
            label=kinds.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=kinds.TYPE_MESSAGE, type_name=".rowwise.Feature", label=kinds.LABEL_OPTIONAL
    )
    features.field.add(
        name="feature",
        number=1,
        type=kinds.TYPE_MESSAGE,
        type_name=".rowwise.Features.FeatureEntry",
        label=kinds.LABEL_REPEATED,
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, type=kinds.TYPE_MESSAGE, type_name=".rowwise.Features", label=kinds.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("rowwise.Example"))


if __name__ == "__main__":
    main()
