"""What the Flex Template ``ingest_events`` runs."""

import sys

from pipelines.ingest_events import run

run(sys.argv[1:])
