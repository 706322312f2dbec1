"""What the Flex Template ``batch_predict`` runs."""

from pipelines.batch_predict import run
from pipelines.launch import main

main(run)
