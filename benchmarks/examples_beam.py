"""One side of the comparison: the examples pipeline itself, as ``augury examples`` runs it."""

import argparse

from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions


def main() -> None:
    """Makes the data set of ``--events`` in ``--output``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--generator", default="purchase")
    given = parser.parse_args()
    card = make_examples(
        ExamplesOptions(events=(given.events,), output=given.output, adapter="canonical", generator=given.generator)
    )
    print(f"pipeline: {sum(split['examples'] for split in card['splits'].values())} examples")


if __name__ == "__main__":
    main()
