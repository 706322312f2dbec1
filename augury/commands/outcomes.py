"""``augury outcomes``: what became of predictions, alarms, and the way back to the champion before."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from augury.outcome_files import references_of, write_report
from augury.outcome_rollback import roll_back
from models.behavior.outcomes.judging import AlarmRules, judge
from models.behavior.outcomes.report import alarm_text
from models.behavior.outcomes.rows import read_card, read_rows
from pipelines.outcome_options import OutcomeOptions
from pipelines.quick_start import import_beam


@takes(OutcomeOptions, arguments=("events",))
def outcomes(
    options: OutcomeOptions,
    level: Annotated[
        float, typer.Option(help="of the expected interval: the share of healthy weeks that stay inside by chance")
    ] = AlarmRules.level,
    auc_margin: Annotated[float, typer.Option(help="a realised AUC alarms only so far outside of it")] = (
        AlarmRules.auc_margin
    ),
    rate_margin: Annotated[
        float, typer.Option(help="a realised rate alarms only so far outside of it, as a share of the expected rate")
    ] = AlarmRules.rate_margin,
    min_predictions: Annotated[int, typer.Option(help="weeks with fewer judged predictions are not compared")] = (
        AlarmRules.min_predictions
    ),
    rollback: Annotated[
        bool, typer.Option("--rollback", help="go back to the champion's predecessor if its AUC alarmed")
    ] = False,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Say what became of predictions, and alarm where a model fell short.

    Reads events and the prediction log, puts every prediction to the instance that it was about, and has the version's
    own example generator say what came true. Writes a Parquet row a prediction, which appear all or not at all, and
    beside them `outcomes.json` and `report.html`. A week alarms where its AUC or its rate left the interval that the
    calibrated probabilities promise. An alarm is no error: the exit code is 0, and `outcomes.json` has it.

    **Examples**

    - `augury outcomes state/archive/events --predictions state/archive/predictions --model purchase --output outcomes`
    - `augury outcomes archive/events --predictions archive/predictions --model purchase --output outcomes --rollback`
    - `augury outcomes bq://p.shop.events --predictions bq://p.shop.predictions --model purchase --output gs://b/outcomes`
    """
    rules = AlarmRules(level, auc_margin, rate_margin, min_predictions)
    beam_flags = split_flags(beam)
    with screen.spinner("joining predictions with events"):
        import_beam(options.paths, beam_flags)
        from pipelines.outcome_report import join_outcomes

        card = join_outcomes(options, beam_flags)
    if screen.planned(card):
        return
    report_on(options.output, options.registry, rules, rollback=rollback)


def outcome_report(
    folder: Annotated[str, typer.Argument(help="what augury outcomes, or its Flex Template, wrote")],
    registry: Annotated[
        str | None, typer.Option(help="root of the registry; by default the one that the folder's card names")
    ] = None,
    level: Annotated[float, typer.Option(help="of the expected interval")] = AlarmRules.level,
    auc_margin: Annotated[float, typer.Option(help="as for augury outcomes")] = AlarmRules.auc_margin,
    rate_margin: Annotated[float, typer.Option(help="as for augury outcomes")] = AlarmRules.rate_margin,
    min_predictions: Annotated[int, typer.Option(help="as for augury outcomes")] = AlarmRules.min_predictions,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="go back to the champion's predecessor if its AUC alarmed")
    ] = False,
) -> None:
    """Make the report of joined outcomes again.

    Reads the Parquet rows alone, neither events nor the log: for a folder that the Flex Template `outcome_report`
    wrote, or with other margins.

    **Examples**

    - `augury outcome-report gs://bucket/outcomes --registry gs://bucket/registry`
    - `augury outcome-report outcomes --level 0.99 --auc-margin 0`
    """
    rules = AlarmRules(level, auc_margin, rate_margin, min_predictions)
    report_on(folder, registry or str(read_card(folder)["registry"]), rules, rollback=rollback)


def report_on(folder: str, registry: str, rules: AlarmRules, *, rollback: bool) -> dict[str, Any]:
    """Makes the figures of a folder, writes and prints them, and rolls back if that is asked for and due."""
    card = read_card(folder)
    with screen.spinner("judging weeks"):
        judged = judge(read_rows(folder, card), card, rules, references_of(registry, card))
        write_report(folder, judged)
    show(judged)
    if rollback:
        screen.line(roll_back(registry, str(card["model"]), judged))
    screen.line(f"{folder}: report.html, outcomes.json; next: augury visitor VISITOR {folder}")
    return judged


def show(judged: Mapping[str, Any]) -> None:
    """Prints the weeks, the alarms, and what was left out and why."""
    rows = []
    for week in judged["weeks"]:
        realised, expected = week["realised"] or {}, week["expected"] or {}
        moved = week["drift"]["from_first_week"]
        rows.append(
            (
                week["model_version"][:16],
                week["week"],
                week["predictions"],
                week["judged"],
                _auc(realised.get("auc")),
                _interval(expected.get("auc")),
                _percent(realised.get("positive_rate")),
                _percent((expected.get("positive_rate") or {}).get("value")),
                None if moved is None else f"{moved['psi']:.3f}",
                "ALARM" if week["alarms"] else "" if week["settled"] else "open",
            )
        )
    columns = ("version", "week", "predictions", "judged", "AUC", "expected", "rate", "expected", "PSI", "")
    screen.table(str(judged["model"]), columns, rows, right=tuple(range(2, 9)))
    found = judged["predictions"]
    left_out = [("left out", why, n) for why, n in found["left_out"].items()]
    left_out += [("rejected", why, n) for why, n in found["rejected"].items()]
    left_out += [("not judged", why, n) for why, n in found["statuses"].items() if why != "known"]
    if left_out:
        screen.table("Without an answer", ("what", "why", "predictions"), left_out, right=(2,))
    for alarm in judged["alarms"]:
        screen.line(f"ALARM {alarm['model_version']}. {alarm_text(alarm)}", style="red")


def _auc(found: Mapping[str, float] | None) -> str | None:
    return None if found is None else f"{found['value']:.3f}"


def _interval(found: Mapping[str, float] | None) -> str | None:
    return None if found is None else f"{found['low']:.3f} to {found['high']:.3f}"


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.1%}"
