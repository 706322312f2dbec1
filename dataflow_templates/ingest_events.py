"""What the Flex Template ``ingest_events`` runs."""

from pipelines.ingest_events import run
from pipelines.launch import main

main(run)
