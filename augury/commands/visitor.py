"""``augury visitor``."""

from typing import Annotated

import orjson
import typer

from augury.commands import screen
from models.behavior.outcomes.rows import OutcomesError, read_card, rows_of_visitor


def visitor(
    visitor: Annotated[str, typer.Argument(metavar="VISITOR", help="an anonymous id, or user: and a user id")],
    folder: Annotated[str, typer.Argument(help="what augury outcomes wrote")] = "outcomes",
    json: Annotated[bool, typer.Option("--json", help="print one JSON object a prediction")] = False,
) -> None:
    """Show what was predicted of a visitor, and what happened.

    Every prediction that was logged, by time: the probability, how many events of the visit it was made from, and the
    outcome. A login has made one visitor of several names: each of them finds the whole history.

    **Examples**

    - `augury visitor user:42` : of the folder `outcomes`
    - `augury visitor 8f0c3a2b gs://bucket/outcomes --json`
    """
    card = read_card(folder)
    table = rows_of_visitor(folder, card, visitor)
    if not table.num_rows:
        raise OutcomesError(
            f"{visitor!r} is in no prediction of {folder}; names are letter by letter, with user: before a user id"
        )
    rows = table.to_pylist()
    if json:
        for row in rows:
            screen.line(orjson.dumps(row).decode())
        return
    shown = [
        (
            screen.moment(row["time_us"]),
            row["version"][:16],
            row["asked"],
            row["events_before"],
            f"{row['probability']:.1%}",
            _happened(row),
        )
        for row in rows
    ]
    columns = ("time (UTC)", "version", "asked about", "events before", "probability", "what happened")
    screen.table(f"{rows[0]['visitor']}: {card['model']}", columns, shown, right=(3, 4))


def _happened(row: dict[str, object]) -> str:
    if row["status"] != "known":
        return str(row["status"]).replace("_", " ")
    return "it came true" if row["label"] == row["predicted"] else "it did not"
