"""The OpenAPI document, and schemathesis holding the running service to it."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from serving.app import create_app
from serving.settings import Settings
from tests.running_service import ADMIN_KEY, WRITE_KEY, Service, running_service
from tests.served_attention import attention_registry, picture, png

__all__ = ["attention_registry"]  # a fixture

IMAGE = png(picture())
for kind in ("png", "jpeg", "webp", "gif", "bmp"):  # what the bytes are decides, not what they are called
    schemathesis.openapi.media_type(f"image/{kind}", st.sampled_from([IMAGE, IMAGE[:99]]))

DOCUMENT = create_app(Settings(write_keys=(WRITE_KEY,), _env_file=None)).openapi()
OPERATIONS = [result.ok() for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    unsupported_method,
]
SETTINGS = hypothesis.settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[hypothesis.Phase.generate],  # each example is a request; making a failing one smaller takes a minute
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def service(attention_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a model of attention, which unlike one of behaviour answers without TensorFlow."""
    settings = {"AUGURY_REGISTRY": str(attention_registry)}
    with running_service(tmp_path_factory.mktemp("service"), settings) as running:
        yield running


def basic(key: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}"}


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_the_service_keeps_to_its_document(service: Service, operation, mode: GenerationMode):
    """Good requests and bad ones: whatever comes, an answer that the document describes, and never a 5xx."""
    key = WRITE_KEY if operation.path.startswith("/v1/") and operation.method == "post" else ADMIN_KEY

    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    @SETTINGS
    def keeps(case: schemathesis.Case) -> None:
        case.validate_response(case.call(base_url=service.url, headers=basic(key)), checks=CHECKS)

    with suppress(hypothesis.errors.Unsatisfiable):  # where nothing is asked for, nothing can be asked wrongly
        keeps()


def test_examples_in_the_document_are_taken(service: Service):
    """What the document calls an event is one, and so is what it calls a batch."""
    for operation in OPERATIONS:
        if "collection" not in operation.definition.raw.get("tags", ()):
            continue

        @hypothesis.given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        @SETTINGS
        def taken(case: schemathesis.Case) -> None:
            response = case.call(base_url=service.url, headers=basic(WRITE_KEY))
            if response.status_code != 200:  # a date-time may be long ago or have a leap second
                assert response.json()["error"] in ("absurd_time", "bad_time"), response.text

        taken()


def test_the_document_says_how_keys_are_sent():
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"writeKey", "adminKey"}
    assert DOCUMENT["paths"]["/v1/batch"]["post"]["security"] == [{"writeKey": []}]


def test_the_documentation_is_a_page(service: Service):
    assert "swagger-ui" in httpx.get(f"{service.url}/docs").text
    assert httpx.get(f"{service.url}/openapi.json").json() == DOCUMENT
