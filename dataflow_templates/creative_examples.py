"""What the Flex Template ``creative_examples`` runs."""

from pipelines.creative_examples import run
from pipelines.launch import main

main(run)
