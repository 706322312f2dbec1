"""A visit to the console in a real browser, which notes whatever goes wrong, and keeps pictures of what it saw."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.running_service import Service

PICTURES = Path(__file__).resolve().parents[1] / ".cache" / "console"
"""Where the pictures of a run are, for people to look at."""

LOOKS = ("light", "dark")

_GRAVE = ("serious", "critical")
_WATCH = """
window.refusedByPolicy = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.refusedByPolicy.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Visit:
    """A window of a browser.

    Attributes:
        page: to look at and act on.
        problems: errors in the console, refusals by the content security policy, requests to other hosts.
    """

    def __init__(self, page: Page, service: Service) -> None:
        self.page, self.service = page, service
        self.problems: list[str] = []
        self.expected: list[str] = []
        self._host = urlsplit(service.url).netloc
        page.add_init_script(_WATCH)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._asked)

    def sign_in(self, key: str, name: str = "") -> None:
        """Signs in by the form."""
        self.page.goto("/")
        self.page.get_by_label("Key", exact=False).first.fill(key)
        if name:
            self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(re.compile("/console/(models|attention)"))

    def saw(self, name: str) -> None:
        """Keeps pictures of the page in light and dark, and has axe-core look for what keeps people out."""
        refused = self.page.evaluate("window.refusedByPolicy")
        assert not refused, refused
        PICTURES.mkdir(parents=True, exist_ok=True)
        for look in LOOKS:
            self.page.emulate_media(color_scheme=look)
            self.page.screenshot(path=PICTURES / f"{name}-{look}.png", full_page=True)
            found = Axe().run(self.page).response["violations"]
            grave = [_told(each) for each in found if each["impact"] in _GRAVE]
            assert not grave, (look, grave)
        self.page.emulate_media(color_scheme=LOOKS[0])

    def check(self) -> None:
        """Asserts that nothing went wrong since the window was opened."""
        wrong = [problem for problem in self.problems if not any(part in problem for part in self.expected)]
        assert not wrong, wrong

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        found = urlsplit(request.url)
        if found.scheme not in ("data", "blob") and found.netloc != self._host:
            self.problems.append(f"asked another host: {request.url}")


def _told(violation: dict[str, Any]) -> str:
    nodes = ", ".join(str(node["target"]) for node in violation["nodes"][:4])
    return f"{violation['impact']} {violation['id']}: {violation['help']} ({nodes})"
