"""The HTTP reference: every operation of the service, and what a small document becomes."""

import pytest

from serving.app import create_app
from serving.settings import Settings
from website.openapi import http_page, type_of

SMALL = {
    "info": {"title": "T", "version": "1"},
    "paths": {
        "/v1/{model}": {
            "get": {
                "tags": ["asking"],
                "summary": "Ask",
                "security": [{"writeKey": []}],
                "parameters": [
                    {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}},
                    {"name": "n", "in": "query", "description": "a | b", "schema": {"type": "integer", "default": 5}},
                ],
                "responses": {
                    "200": {
                        "description": "Successful Response",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
                    },
                    "404": {"description": "Not Found"},
                    "429": {"description": "Too Many Requests"},
                },
            }
        }
    },
    "components": {"schemas": {"Answer": {"required": ["x"], "properties": {"x": {"type": "number"}, "y": {}}}}},
}


def test_an_operation_as_a_reader_sees_it() -> None:
    page = http_page(SMALL)
    assert "## Asking\n\n### GET /v1/{model}\n\nAsk\n\nKey: a write key.\n" in page
    assert "| `model` | path | string of at most 64 characters | **needed** |  |" in page
    assert "| `n` | query | integer | `5` | a \\| b |" in page
    assert "| 200 | OK | `application/json`: [Answer](#answer) |" in page
    assert "| 404, 429 | Not Found; Too Many Requests |  |" in page
    assert (
        "### Answer\n\n| field | type | |\n|---|---|---|\n| `x` | number |  |\n| `y` | anything (may be absent) |"
        in page
    )


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, "list of [A](#a)"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1000}, "number at least 0, below 1,000"),
        (
            {"$ref": "#/components/schemas/serving__creative__numbers__Interval"},
            "[CreativeInterval](#creativeinterval)",
        ),
    ],
)
def test_what_a_schema_admits(schema: dict, said: str) -> None:
    assert type_of(schema) == said


def test_every_operation_of_the_service_is_there_once() -> None:
    document = create_app(Settings(write_keys=("any",), _env_file=None)).openapi()
    page = http_page(document)
    for path, operations in document["paths"].items():
        for method in operations:
            assert page.count(f"### {method.upper()} {path}\n") == 1
    names = [line for line in page.splitlines() if line.startswith("### ")]
    assert len(names) == len(set(names))
    assert "None" not in page and "NoneType" not in page
