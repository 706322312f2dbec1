"""The end-points' own documentation in a real browser, which must come from the service alone."""

from collections.abc import Callable

from tests.console_pages import Visit
from tests.running_service import Service


def test_the_reference_needs_no_other_host(served: Service, visiting: Callable[..., Visit]) -> None:
    visit = visiting(served, key="")
    visit.page.goto("/docs")
    visit.page.get_by_role("heading", name="Augury").wait_for()
    visit.page.get_by_text("/v1/batch", exact=True).wait_for()
    assert visit.page.request.get("/redoc").status == 404
