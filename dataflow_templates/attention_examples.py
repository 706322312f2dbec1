"""What the Flex Template ``attention_examples`` runs."""

from pipelines.attention_examples import run
from pipelines.launch import main

main(run)
