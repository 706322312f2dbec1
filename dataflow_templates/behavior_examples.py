"""What the Flex Template ``behavior_examples`` runs."""

import sys

from pipelines.behavior_examples import run

run(sys.argv[1:])
