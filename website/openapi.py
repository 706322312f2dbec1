"""The HTTP reference as Markdown, made of the service's OpenAPI document: nothing is fetched to read it."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]

_KEYS = {"writeKey": "a write key", "adminKey": "an admin key"}


def http_page(document: Json) -> str:
    """Returns the page of all operations, by tag, and of all schemas that they name."""
    info = document["info"]
    lines = [f"# HTTP API {info['version']}", "", info.get("description") or info.get("summary") or info["title"], ""]
    lines += ["The same as a document for tools: [openapi.json](openapi.json).", ""]
    tags: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation.get("tags", ["other"])[0], []).extend(_operation(method, path, operation))
    for tag, operations in tags.items():
        lines += [f"## {tag.capitalize()}", "", *operations]
    lines += ["## Schemas", ""]
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items(), key=lambda it: _name(it[0])):
        lines += [f"### {_name(name)}", "", *_schema(schema)]
    return "\n".join(lines)


def type_of(schema: Json) -> str:
    """Returns what a schema admits, in a few words; schemas of their own are links."""
    if "$ref" in schema:
        name = _name(schema["$ref"].rpartition("/")[2])
        return f"[{name}](#{name.lower()})"
    if "properties" in schema:
        return "object"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(type_of(option) for option in options))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {type_of(schema['additionalProperties'])}"
    return f"{kind}{_limits(schema)}"


def _limits(schema: Json) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    words |= {"minLength": "of at least", "maxLength": "of at most"}
    said = [
        f"{word} {schema[key]:,}{' characters' if key.endswith('Length') else ''}"
        for key, word in words.items()
        if key in schema
    ]
    return f" {', '.join(said)}" if said else ""


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    yield from (f"### {method.upper()} {path}", "", _text(operation.get("description") or operation["summary"]), "")
    keys = [_KEYS[name] for wanted in operation.get("security", []) for name in wanted]
    yield from (f"Key: {' or '.join(keys) if keys else 'none'}.", "")
    if parameters := operation.get("parameters"):
        yield from ("| parameter | in | type | default | |", "|---|---|---|---|---|")
        for one in parameters:
            schema = one["schema"]
            default = "**needed**" if one.get("required") else _value(schema.get("default"))
            said = _text(one.get("description") or schema.get("description") or "")
            yield f"| `{one['name']}` | {one['in']} | {_cell(type_of(schema))} | {default} | {_cell(said)} |"
        yield ""
    if body := operation.get("requestBody"):
        yield from (f"Body{'' if body.get('required') else ' (optional)'}:", "")
        yield from (f"- {_content(kind, content)}" for kind, content in body["content"].items())
        yield ""
        for content in body["content"].values():
            yield from _fields(content.get("schema", {}))
    yield from ("| status | meaning | answer |", "|---|---|---|")
    for kinds, statuses in _answers(operation).items():
        said = "; ".join(dict.fromkeys(statuses.values()))
        yield f"| {', '.join(statuses)} | {_cell(said)} | {_cell(kinds)} |"
    yield ""


def _answers(operation: Json) -> dict[str, dict[str, str]]:
    """Returns what may be answered -> status -> meaning: most refusals have one form."""
    found: dict[str, dict[str, str]] = {}
    for status, answer in sorted(operation["responses"].items()):
        kinds = ", ".join(_content(kind, content) for kind, content in answer.get("content", {}).items())
        said = _text(answer.get("description", ""))
        found.setdefault(kinds, {})[status] = HTTPStatus(int(status)).phrase if said == "Successful Response" else said
    return found


def _content(kind: str, content: Json) -> str:
    schema = content.get("schema", {})
    plain = schema.get("type") == "string" or not schema
    return f"`{kind}`" if plain else f"`{kind}`: {type_of(schema)}"


def _schema(schema: Json) -> Iterator[str]:
    if said := schema.get("description"):
        yield from (_text(said), "")
    yield from _fields(schema)


def _fields(schema: Json) -> Iterator[str]:
    """Yields the table of an object's fields; nothing for what has none of its own."""
    if not schema.get("properties"):
        return
    either = [name for option in schema.get("anyOf", []) for name in option.get("required", [])]
    needed = schema.get("required", [])
    if either:
        yield from (f"One of {', '.join(f'`{name}`' for name in either)} is needed.", "")
    yield from ("| field | type | |", "|---|---|---|")
    for name, field in schema.get("properties", {}).items():
        said = _text(field.get("description", ""))
        mark = "" if name in needed else " (may be absent)"
        yield f"| `{name}` | {_cell(type_of(field))}{mark} | {_cell(said)} |"
    yield ""


def _name(name: str) -> str:
    """Returns a schema's name; one that two modules use is told apart by its module."""
    *modules, last = name.split("__")
    return f"{modules[-2].capitalize()}{last}" if len(modules) > 1 else last


def _value(value: Any) -> str:
    return "" if value is None or value == [] else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _text(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
