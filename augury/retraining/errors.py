"""What stops a retraining."""

from features.errors import AuguryError


class AppError(AuguryError, ValueError):
    """The description of an application that cannot be followed."""


class RunError(AuguryError, ValueError):
    """A run that cannot begin or go on: another window's folder, a lock that is held, a lease that was lost."""


class StoppedError(AuguryError, ValueError):
    """A run that ended before there was a version, for the reason that the message gives.

    Attributes:
        step: the step that stopped it.
        kind: of the reason, such as ``schema``; the summary groups by it.
    """

    def __init__(self, message: str, step: str, kind: str) -> None:
        super().__init__(message)
        self.step, self.kind = step, kind
