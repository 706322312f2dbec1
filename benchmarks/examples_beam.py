"""One side of the comparison: the examples pipeline itself, as ``augury examples`` runs it."""

import argparse
from dataclasses import dataclass, replace

from example_generators.base import ExampleGenerator
from example_generators.purchase import Purchase
from features.sessions import Sessions
from features.slices import Slices
from pipelines.behavior_recipe import ExamplesOptions, make_recipe
from pipelines.quick_start import import_beam


@dataclass(frozen=True)
class PurchasePerSession(Purchase):
    """``purchase`` as a site would write it: one session at a time."""

    def slices_of(self, sessions: Sessions) -> Slices:
        """Loops over ``slices``, as the base class does."""
        return ExampleGenerator.slices_of(self, sessions)


def main() -> None:
    """Makes the data set of ``--events`` in ``--output``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--per-session", action="store_true")
    given = parser.parse_args()
    options = ExamplesOptions(events=(given.events,), output=given.output, adapter="canonical")
    import_beam([*options.events, options.output])  # as the command does
    import apache_beam as beam

    from pipelines.behavior_examples import build, make_examples
    from pipelines.launch import beam_options, choose_runner, run_to_end
    from transforms.staging import Staging

    if not given.per_session:
        make_examples(options)
        return
    flags = beam_options([])
    recipe = replace(make_recipe(options), generator=PurchasePerSession())
    pipeline = beam.Pipeline(runner=choose_runner(flags), options=flags)
    build(pipeline, options, recipe, Staging.begin(options.output, overwrite=False))
    run_to_end(pipeline)


if __name__ == "__main__":
    main()
