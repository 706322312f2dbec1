"""What the Flex Template ``warm_store`` runs."""

from pipelines.launch import main
from pipelines.warm_store import run

main(run)
