"""What the Flex Template ``batch_predict`` runs."""

import sys

from pipelines.batch_predict import run

run(sys.argv[1:])
