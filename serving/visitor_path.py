"""How a visitor's id stands at the end of a path: it may hold slashes and, unlike Starlette's ``path``, line feeds."""

from starlette.convertors import Convertor, register_url_convertor


class _VisitorId(Convertor[str]):
    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("visitor_id", _VisitorId())

VISITOR = "{visitor:visitor_id}"
"""The last part of a route's path."""
