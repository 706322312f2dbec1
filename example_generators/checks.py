"""Refusing impossible parameters, in the same words everywhere."""

from example_generators.errors import GeneratorError


def at_least(minimum: float, **values: float | None) -> None:
    """Refuses a value below ``minimum``; None passes."""
    for name, value in values.items():
        if value is not None and not minimum <= value < float("inf"):
            raise GeneratorError(f"{name} is {value}; expected a number of at least {minimum:g}")


def more_than(minimum: float, **values: float | None) -> None:
    """Refuses a value that is not above ``minimum``; None passes."""
    for name, value in values.items():
        if value is not None and not minimum < value < float("inf"):
            raise GeneratorError(f"{name} is {value}; expected a number above {minimum:g}")


def share(**values: float) -> None:
    """Refuses what is not above 0 and at most 1."""
    for name, value in values.items():
        if not 0 < value <= 1:
            raise GeneratorError(f"{name} is {value}; expected a share above 0 and at most 1")


def one_of(*choices: str, **values: str) -> None:
    """Refuses a value that is not among the choices."""
    for name, value in values.items():
        if value not in choices:
            raise GeneratorError(f"{name} is {value!r}; expected one of {', '.join(choices)}")
