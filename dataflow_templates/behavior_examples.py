"""What the Flex Template ``behavior_examples`` runs."""

from pipelines.behavior_examples import run
from pipelines.launch import main

main(run)
