"""``augury simulate``."""

from augury.commands import screen
from augury.commands.flags import takes
from augury.simulator import SimulationOptions
from augury.simulator import simulate as run


@takes(SimulationOptions, arguments=("output",))
def simulate(options: SimulationOptions) -> None:
    """Simulate a shop whose true purchase probabilities are known.

    Writes events as anybody's log would hold them (with robots, copies, late and malformed rows), and beside them the
    true probability of a purchase for every instance of the `purchase` generator. Any size: files are written one by
    one. The same options and seed give the same bytes.

    **Examples**

    - `augury simulate shop` : 20,000 visitors, as Segment JSONL
    - `augury simulate shop --visitors 1000000 --format parquet --seed 7`
    - `augury simulate shop --bots 0 --duplicates 0 --resent 0 --late 0 --malformed 0` : a spotless log
    """
    with screen.progress("visitors") as bar:
        made = run(options, bar)
    screen.table("Simulated", ("what", "how many"), sorted(made.counts.items()), right=(1,))
    if made.truth_auc is not None:
        screen.line(f"AUC of the true probabilities: {made.truth_auc:.4f} (no model can do better, but for luck)")
    screen.line(f"events: {made.events} (adapter {made.adapter})")
    screen.line(f"next: augury examples '{made.events}' --adapter {made.adapter} --output examples")
