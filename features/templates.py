"""Templates: text with columns in it, such as ``/item/{item_id}``.

Nothing but a column's own value can be put in: there are no attributes, formats or expressions, so a mapping file that
somebody else wrote can do no more than name columns.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|([{}])|([^{}]+)")
_NAME = re.compile(r"[^{}!:\[\]()\s][^{}!:\[\]()]*")


class TemplateError(ValueError):
    """A template that cannot be understood; the mapping file says where it stands."""


@dataclass(frozen=True)
class Template:
    """A parsed template.

    Attributes:
        parts: (text, column) pairs, one of each pair empty, in order.
    """

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Parses ``text``: ``{name}`` is a column, or the field of one (``{user.id}``); ``{{`` and ``}}`` are braces.

        Raises:
            TemplateError: a brace without its partner, or between braces something that is no name.
        """
        parts: list[tuple[str, str]] = []
        for match in _PIECE.finditer(text):
            name, brace, literal = match.groups()
            if brace:
                raise TemplateError(
                    f"{text!r} has a single {brace!r}; expected {{column}}, or {brace * 2!r} for a brace"
                )
            if name is not None and not _NAME.fullmatch(name):
                raise TemplateError(
                    f"{text!r} has {match[0]!r}; expected the plain name of a column between the braces"
                )
            if name is not None:
                parts.append(("", name))
            else:
                parts.append((literal or match[0][0], ""))
        return cls(tuple(parts))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(dict.fromkeys(column for _, column in self.parts if column))

    @property
    def constant(self) -> str | None:
        """The text, if it names no column."""
        return None if self.columns else "".join(text for text, _ in self.parts)

    def render(self, column: Callable[[str], pa.Array], count: int) -> pa.Array:
        """Returns strings (N,); null where a column that it names is null.

        Args:
            column: gives the strings (N,) of a column.
            count: N.
        """
        if self.constant is not None:
            return pa.repeat(pa.scalar(self.constant, pa.string()), count)
        if len(self.parts) == 1:
            return column(self.parts[0][1])
        pieces = [column(name) if name else text for text, name in self.parts]
        return pc.binary_join_element_wise(*pieces, "", null_handling="emit_null")
