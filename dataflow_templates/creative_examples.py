"""What the Flex Template ``creative_examples`` runs."""

import sys

from pipelines.creative_examples import run

run(sys.argv[1:])
