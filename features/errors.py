"""The root of every error the project raises on purpose."""


class AuguryError(Exception):
    """One clear line: the offending value, what was expected and the remedy.

    Subclasses combine it with the builtin they refine, e.g. ``class MappingError(AuguryError, ValueError)``. The
    command line prints the message alone and exits with 1; any other exception is a defect and keeps its traceback.
    """
