"""One run of the attention-examples pipeline over OSIE, in a process of its own."""

import argparse

from pipelines.attention_examples import make_attention_examples
from pipelines.attention_recipe import AttentionExamplesOptions


def main() -> None:
    """Makes the data set that ``--sets`` describes in ``--output``, with so many processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--processes", type=int, required=True)
    given = parser.parse_args()
    flags = ["--direct_running_mode=multi_processing", f"--direct_num_workers={given.processes}"]
    make_attention_examples(AttentionExamplesOptions(sets=given.sets, output=given.output, overwrite=True), flags)


if __name__ == "__main__":
    main()
