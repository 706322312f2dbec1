"""One run of the creative-examples pipeline, in a process of its own."""

import argparse

from pipelines.creative_options import WORKER_MODULES, CreativeExamplesOptions
from pipelines.quick_start import import_beam
from pipelines.worker_pool import worker_pool


def main() -> None:
    """Makes the examples of a folder of photos, with so many processes; starts as the command does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--processes", type=int, required=True)
    given = parser.parse_args()
    options = CreativeExamplesOptions(
        catalogue=given.photos, output=given.output, processes=given.processes, simulate="campaigns", overwrite=True
    )
    with worker_pool(options.processes, WORKER_MODULES, options.paths) as pool:
        import_beam(options.paths)
        from pipelines.creative_examples import make_creative_examples

        make_creative_examples(options, (), pool)


if __name__ == "__main__":
    main()
