"""What the Flex Template ``outcome_report`` runs."""

from pipelines.launch import main
from pipelines.outcome_report import run

main(run)
