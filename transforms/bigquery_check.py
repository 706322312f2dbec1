"""Checks, before a pipeline starts, that the tables it writes to are there and have the columns of its rows."""

from collections.abc import Mapping

from features.errors import AuguryError
from features.tables import Table
from transforms.bigquery_clients import explained, open_client, tries
from transforms.bigquery_names import table_name


class TableMismatchError(AuguryError, ValueError):
    """A table that lacks a column, or has it in another form than its rows."""


def check_tables(targets: Mapping[str, Table]) -> None:
    """Compares tables with what is going to be written to them.

    Args:
        targets: ``bq://project.dataset.table`` -> the table it must be.

    Raises:
        TableError: a name that cannot be.
        BigQueryError: a table is not there, or cannot be looked at.
        TableMismatchError: a column differs; the message names all that do.
    """
    for target, expected in targets.items():
        name = table_name(target)
        with open_client(name.project) as client:
            with explained(f"{target} (to be made by Terraform, or of features/tables/{expected.name}.json)"):
                found = client.get_table(name.dotted, **tries())
        wrong = expected.differences([field.to_api_repr() for field in found.schema])
        if wrong:
            raise TableMismatchError(
                f"{target}: {'; '.join(wrong)}; make it as features/tables/{expected.name}.json says"
            )
