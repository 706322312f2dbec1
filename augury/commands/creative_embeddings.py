"""``augury creative-embeddings``."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from pipelines.embeddings_options import WORKER_MODULES, CreativeEmbeddingsOptions
from pipelines.quick_start import import_beam
from pipelines.worker_pool import worker_pool


@takes(CreativeEmbeddingsOptions)
def creative_embeddings(
    options: CreativeEmbeddingsOptions,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Compute a recogniser's vectors of creative examples.

    Asks a trained recogniser of variants about every image of an examples folder and writes, for each split, tables
    (Parquet) of product, variant, image_id, logits and features: what conversion is predicted from. The output appears
    whole or not at all.

    **Examples**

    - `augury creative-embeddings --examples examples --recognizer recognizer --output vectors`
    - `augury creative-embeddings --examples examples --recognizer recognizer --output vectors --processes 2`
    """
    beam_flags = split_flags(beam)
    pool = worker_pool(options.processes, WORKER_MODULES, options.paths, beam_flags)
    with screen.spinner("computing vectors"), pool as workers:
        import_beam(options.paths, beam_flags)
        from pipelines.creative_embeddings import make_creative_embeddings

        card = make_creative_embeddings(options, beam_flags, workers)
    if screen.planned(card):
        return
    counts = ", ".join(f"{name} {split['examples']:,}" for name, split in card["splits"].items())
    screen.line(f"{options.output}: vectors of {counts} images, {card['recognizer']['dimension']:,} features each")
    screen.line(
        f"next: augury train creative --examples {options.examples} --embeddings {options.output} "
        f"--recognizer {options.recognizer} --output model"
    )
