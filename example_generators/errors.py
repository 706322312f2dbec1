"""What goes wrong with an example generator: its name, its parameters or its plug-in."""

from features.errors import AuguryError


class GeneratorError(AuguryError, ValueError):
    """A generator that is unknown, cannot be loaded, or was given impossible parameters."""
