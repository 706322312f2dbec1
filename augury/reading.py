"""Cleaned events straight from files, for the commands that look at data without a pipeline."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from features.cleaning import clean
from pipelines.behavior_recipe import Recipe
from transforms.sources import read_chunks


def read_events(recipe: Recipe, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields batches of cleaned canonical events; rows that cannot be events are passed over.

    Args:
        recipe: says what to read, how to adapt it and what to clean away.
        columns: the event columns that are needed.
    """
    wanted = recipe.adapter.columns(tuple(dict.fromkeys((*columns, *recipe.rules.required_columns()))))
    for task in recipe.tasks:
        for chunk in read_chunks(task, wanted):
            yield clean(recipe.adapter.adapt(chunk, task.path).events, recipe.rules)[0]
