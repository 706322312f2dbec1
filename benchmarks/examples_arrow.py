"""One side of the comparison: the same examples by a straight pyarrow and NumPy script, without Beam.

What a careful engineer would write for one machine that holds the data: read Parquet, clean, one big table, sessions,
slices, coding, one TFRecord file a split. It calls the project's pure functions and nothing of Beam, so the ratio
against the pipeline is what Beam and the shuffle cost.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from example_generators.catalogue import generator_params, load_generator
from features.adapters import get_adapter
from features.cleaning import CleaningRules, clean
from features.coding import FeatureCoder
from features.sessions import Window
from features.spec import FeatureSpec
from transforms.shard_examples import shard_examples
from transforms.shards import encode_columns
from transforms.sources import plan_reads, read_chunks
from transforms.tfrecords import encode_examples, tfrecord_bytes


def main() -> None:
    """Makes the examples of ``--events`` in ``--output``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", required=True)
    parser.add_argument("--output", required=True)
    given = parser.parse_args()
    generator = load_generator("purchase")
    spec = FeatureSpec(
        hides=tuple(generator.hides),
        stats=tuple(generator.stats),
        generator="purchase",
        generator_params=generator_params(generator),
    )
    columns = {"anonymous_id", *spec.required_columns(), *generator.requires, *CleaningRules().required_columns()}
    adapter = get_adapter("canonical")
    batches = []
    for task in plan_reads([given.events], None):
        for chunk in read_chunks(task, adapter.columns(tuple(columns))):
            events, _ = clean(adapter.adapt(chunk, task.path).events, CleaningRules())
            batches.append(encode_columns(events, [*spec.required_columns(), *generator.requires]))
    table = pa.Table.from_batches(batches)
    del batches
    span = pc.min_max(table.column("timestamp_us")).as_py()
    made = shard_examples(
        table,
        coder=FeatureCoder(spec),
        generator=generator,
        window=Window(span["min"], span["max"] + 1),
    )
    for split, rows in made.columns.items():
        path = Path(given.output, split, "examples.tfrecord")
        path.parent.mkdir(parents=True)
        path.write_bytes(tfrecord_bytes(encode_examples(rows), compress=False))
    print(f"arrow: {sum(rows.num_rows for rows in made.columns.values())} examples")


if __name__ == "__main__":
    main()
