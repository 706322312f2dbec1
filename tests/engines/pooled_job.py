"""The behaviour pipeline in two workers of our own pool, which its command has no option for."""

from pipelines.behavior_examples import build
from pipelines.behavior_recipe import ExamplesOptions, make_recipe
from pipelines.dataset_job import make_dataset
from pipelines.launch import main
from pipelines.options import parse_options
from pipelines.worker_pool import worker_pool


def run(argv):
    options, flags = parse_options(ExamplesOptions, argv)
    with worker_pool(2, ("pipelines.behavior_examples",), [*options.events, options.output], flags) as pool:
        make_dataset(options, flags, make_recipe, build, pool)


if __name__ == "__main__":
    main(run)
