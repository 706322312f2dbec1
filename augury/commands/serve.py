"""``augury serve``."""

import os

import typer

from augury.commands import screen

_SET = "AUGURY_"


def serve(
    host: str | None = typer.Option(None, help="Address to listen on; 127.0.0.1 unless set."),
    port: int | None = typer.Option(None, help="Port to listen on, 0 for a free one; 8000 unless set."),
    workers: int | None = typer.Option(None, help="Processes that answer requests; 1 unless set."),
    state_dir: str | None = typer.Option(None, help="Folder of the spool, the archive and the embedded store."),
    registry: str | None = typer.Option(None, help="Model registry to predict with, local or gs://."),
) -> None:
    """Run the service: collect events, answer with predictions.

    Every setting comes from the environment (`AUGURY_WRITE_KEYS`, `AUGURY_ADMIN_KEYS`, `REDIS_URL`, ...; see
    docs/service.md); the options here win over it. Without `REDIS_URL` a private store is started. SIGTERM or Ctrl-C
    stops it without losing an event.

    **Examples**

    - `augury serve --state-dir state` : with AUGURY_WRITE_KEYS set
    - `augury serve --host 0.0.0.0 --workers 4 --registry registry` : answers with predictions, too
    """
    from serving.logs import set_up_logs
    from serving.settings import load_settings
    from serving.supervisor import serve as run

    # The workers read the environment too, so what is given here goes there.
    given = {"host": host, "port": port, "workers": workers, "state_dir": state_dir, "registry": registry}
    os.environ.update({f"{_SET}{name.upper()}": str(value) for name, value in given.items() if value is not None})
    settings = load_settings()
    set_up_logs(settings.log_level)
    run(settings, lambda url: screen.line(f"serving on {url} (documentation: {url}/docs)"))
