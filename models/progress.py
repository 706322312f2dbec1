"""Progress: how long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with (stage, done, total, note) as work goes on."""
