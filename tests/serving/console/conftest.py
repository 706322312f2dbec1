"""What tests of the console share: a registry of all families, a service with it, and pages of a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.chromium import chromium
from tests.console_pages import Visit
from tests.console_registry import console_registry
from tests.running_service import ADMIN_KEY, Service, running_service
from tests.served_creative import creative_artifact

__all__ = ["chromium", "console_registry", "creative_artifact"]  # fixtures


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium, for one module's tests: while it is open no other test can have an event loop."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def served(console_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with models of all families; what changes them has one of its own."""
    settings = {"AUGURY_REGISTRY": str(console_registry), "AUGURY_MODEL_POLL_SECONDS": "0.5"}
    with running_service(tmp_path_factory.mktemp("served"), settings) as running:
        yield running


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a browser's window on a service, and checks afterwards that nothing went wrong in any of them."""
    contexts: list[tuple[BrowserContext, Visit]] = []

    def visit(service: Service, key: str = ADMIN_KEY, width: int = 1280) -> Visit:
        context = browser.new_context(
            base_url=service.url,
            viewport={"width": width, "height": 860},
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(20_000)
        opened = Visit(context.new_page(), service)
        contexts.append((context, opened))
        if key:
            opened.sign_in(key)
        return opened

    yield visit
    for context, opened in contexts:
        context.close()
        opened.check()
