"""``augury demo``."""

from augury.commands.flags import takes
from augury.demo import DemoOptions, run_demo


@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Do the whole job once: events to examples, a model, its report, a published version.

    Without `--events` a shop is simulated whose true purchase probabilities are known, so that the report can say how
    near the model comes to them. With `--events` the same is done to your own: will the visitor buy within the next
    events of the session? Everything is written to one folder, `demo` by default.

    **Examples**

    - `augury demo`
    - `augury demo --visitors 100000 --output big`
    - `augury demo --events 'events/*.jsonl.gz' --output mine` : Segment events
    - `augury demo --events events.csv.gz --mapping examples/retailrocket.toml --output mine`
    """
    run_demo(options)
