"""What TensorFlow Data Validation says of a split's TFRecords: run as a script, in an environment of its own.

TFDV wants older versions of what the rest has, and its last releases a newer C library than many machines, so it has an
environment of its own (`make data-checks`) and this file imports nothing of ours. ``python tfdv_process.py FILE`` reads
what to do from a JSON file and writes its answer into a folder; ``augury.retraining.validation`` makes the one and
reads the other.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

CATEGORY, TEXT, NUMBER = "category", "text", "number"
_TOP_VALUES = 50
_RANKS = 4000  # a divergence of categories is that of the ranked values that are kept


def main(request_path: str) -> None:
    """Computes statistics, validates them, and writes ``statistics.pb`` and ``answer.json``.

    The request: ``train`` and ``test`` (TFRecords of the two splits), ``all`` (of every split), ``since_us`` (only what
    happened since is compared with the run before; null: all), ``features`` (name -> "category", "text" or "number";
    others are left out), ``fixed`` (names of what every example has once), ``previous`` (path of an earlier run's
    statistics, or null), ``drift`` and ``skew`` (the most Jensen-Shannon divergence, 0 to 1), ``label`` (name of the
    feature that is counted, or null), ``output`` (folder).
    """
    with open(request_path, encoding="utf-8") as file:
        asked = json.load(file)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import statistics_pb2

    recent = _statistics(tfdv, asked, asked["all"], asked["since_us"])
    train, test = (_statistics(tfdv, asked, asked[split], None) for split in ("train", "test"))
    previous = None
    drifting, skewed = make_schema(asked, drift=asked["drift"]), make_schema(asked, skew=asked["skew"])
    if asked["previous"]:
        previous = statistics_pb2.DatasetFeatureStatisticsList()
        with open(asked["previous"], "rb") as file:
            previous.ParseFromString(file.read())
        expect_what_was(drifting, previous)
    found = [
        tfdv.validate_statistics(recent, drifting, previous_statistics=previous),
        tfdv.validate_statistics(train, skewed, serving_statistics=test),
    ]
    answer = {
        "anomalies": [anomaly for one in found for anomaly in _anomalies(one)],
        "measures": [measure for one in found for measure in _measures(one)],
        "examples": recent.datasets[0].num_examples,
        "labels": _counts(recent, asked["label"]),
        "tfdv": tfdv.__version__,
    }
    with open(os.path.join(asked["output"], "statistics.pb"), "wb") as file:
        file.write(recent.SerializeToString(deterministic=True))
    with open(os.path.join(asked["output"], "answer.json"), "w", encoding="utf-8") as file:
        json.dump(answer, file, indent=1)


def make_schema(asked: dict[str, Any], drift: float | None = None, skew: float | None = None) -> Any:
    """Returns what every run must fulfil: types, presence, and how far distributions may move."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    types = {CATEGORY: schema_pb2.INT, TEXT: schema_pb2.BYTES, NUMBER: schema_pb2.INT}  # numbers are coded
    schema = schema_pb2.Schema()
    for name, kind in sorted(asked["features"].items()):
        feature = schema.feature.add(name=name)
        feature.type = types[kind]
        feature.presence.min_fraction = 1.0
        feature.presence.min_count = 1
        if name in asked["fixed"]:
            feature.value_count.min = feature.value_count.max = 1
        if kind != TEXT:
            feature.int_domain.is_categorical = True
        if drift is not None:
            feature.drift_comparator.jensen_shannon_divergence.threshold = drift
        if skew is not None:
            feature.skew_comparator.jensen_shannon_divergence.threshold = skew
    return schema


def expect_what_was(schema: Any, previous: Any) -> None:
    """Adds what the run before showed: a feature that told examples apart must not say the same of all of them."""
    (dataset,) = previous.datasets
    known = {feature.path.step[0]: feature for feature in dataset.features}
    for feature in schema.feature:
        before = known.get(feature.name)
        if before is not None and before.string_stats.unique > 1:
            feature.unique_constraints.min = 2
            feature.unique_constraints.max = 2**62


def _statistics(tfdv: Any, asked: dict[str, Any], files: list[str], since_us: int | None) -> Any:
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from tfx_bsl.public import tfxio

    options = tfdv.StatsOptions(
        schema=make_schema(asked),
        feature_allowlist=sorted(asked["features"]),
        num_top_values=_TOP_VALUES,
        num_rank_histogram_buckets=_RANKS,
    )
    numbers = [name for name, kind in asked["features"].items() if kind == NUMBER]
    path = os.path.join(asked["output"], ".statistics.tfrecord")
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(files)
            | "Read" >> beam.io.ReadAllFromTFRecord()
            | "Decode" >> tfxio.TFExampleBeamRecord(physical_format="tfrecord").BeamSource()
            | "Since" >> beam.Map(_since, since_us)
            | "CodeNumbers" >> beam.Map(_code_numbers, numbers)
            | "Statistics" >> tfdv.GenerateStatistics(options)
            | "Write" >> tfdv.WriteStatisticsToTFRecord(path)
        )
    found = tfdv.load_statistics(path)
    os.unlink(path)
    return found


def _since(batch: Any, since_us: int | None) -> Any:
    """Returns the examples of a batch whose time is not before ``since_us``."""
    import pyarrow.compute as pc

    if since_us is None:
        return batch
    return batch.filter(pc.greater_equal(batch.column(batch.schema.get_field_index("time_us")).flatten(), since_us))


def _code_numbers(batch: Any, numbers: list[str]) -> Any:
    """Replaces numbers by whole ones, tenths near 0 and ever coarser further away.

    TFDV compares numbers by buckets of equal width between the least and the most: one odd value moves all of them.
    """
    import numpy as np
    import pyarrow as pa

    columns = list(batch.columns)
    for name in numbers:
        place = batch.schema.get_field_index(name)
        if place < 0 or not pa.types.is_floating(batch.schema.field(place).type.value_type):
            continue
        column = columns[place]
        codes = np.floor(np.arcsinh(10 * np.nan_to_num(column.values.to_numpy(zero_copy_only=False))) / 0.5)
        missing = np.append(column.is_null().to_numpy(zero_copy_only=False), False)
        offsets = pa.array(column.offsets.to_numpy(), pa.int64(), mask=missing)
        columns[place] = pa.LargeListArray.from_arrays(offsets, pa.array(codes.astype(np.int64)))
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _counts(found: Any, name: str | None) -> dict[str, int]:
    """Returns value -> examples of a category."""
    (dataset,) = found.datasets
    for feature in dataset.features:
        if feature.path.step[0] == name:
            return {bucket.label: round(bucket.sample_count) for bucket in feature.string_stats.rank_histogram.buckets}
    return {}


def _anomalies(found: Any) -> Iterator[dict[str, str]]:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    for name, about in sorted(found.anomaly_info.items()):
        for reason in about.reason:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
            yield {"feature": name, "kind": kind, "what": reason.description}
    if found.HasField("dataset_anomaly_info"):
        for reason in found.dataset_anomaly_info.reason:
            yield {"feature": "", "kind": anomalies_pb2.AnomalyInfo.Type.Name(reason.type), "what": reason.description}


def _measures(found: Any) -> Iterator[dict[str, Any]]:
    for info in found.drift_skew_info:
        for what, measurements in (("drift", info.drift_measurements), ("skew", info.skew_measurements)):
            for one in measurements:
                yield {"feature": info.path.step[0], "what": what, "value": one.value, "threshold": one.threshold}


if __name__ == "__main__":
    main(sys.argv[1])
