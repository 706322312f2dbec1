"""What the Flex Template ``attention_examples`` runs."""

import sys

from pipelines.attention_examples import run

run(sys.argv[1:])
