"""What the Flex Template ``warm_store`` runs."""

import sys

from pipelines.warm_store import run

run(sys.argv[1:])
