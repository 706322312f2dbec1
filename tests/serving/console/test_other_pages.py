"""The page to sign in, pages that have nothing to show yet, and errors: for people, too."""

import re
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.console_pages import Visit
from tests.running_service import ADMIN_KEY, WRITE_KEY, Service, service
from tests.serving.console.test_routes import browsing

__all__ = ["service"]  # a fixture: a service without models

Visiting = Callable[..., Visit]


def test_the_page_to_sign_in(service: Service, visiting: Visiting) -> None:
    visit = visiting(service, key="")
    visit.expected.append("status of 401")  # what the browser says of an answer that is an error
    page = visit.page
    page.goto("/")
    expect(page.get_by_label("Key")).to_be_focused()
    visit.saw("sign-in")
    page.get_by_label("Key").fill("not a key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("No key of this service is like this one. Check it and try again.")
    visit.saw("sign-in-wrong")
    page.get_by_label("Key").fill(ADMIN_KEY)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/console/models"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()  # nothing was kept to go back to


def test_a_link_from_another_site_finds_its_way(service: Service, visiting: Visiting) -> None:
    visit = visiting(service)

    def without_cookies(route: Route) -> None:  # as browsers ask for what another site links to
        headers = {name: value for name, value in route.request.headers.items() if name != "cookie"}
        route.continue_(headers=headers)

    visit.page.route(re.compile("/console/sign-in$"), without_cookies)
    visit.page.goto("/console/sign-in")
    visit.page.wait_for_url(re.compile("/console/models"))


def test_pages_that_have_nothing_to_show_yet(service: Service, visiting: Visiting) -> None:
    visit = visiting(service)
    page = visit.page
    for name, told in (
        ("models", "No registry yet"),
        ("behavior", "No model of behaviour is served here"),
        ("attention", "No model of attention is served here"),
        ("creative", "No model of product photos is served here"),
        ("promotion", "No version was promoted here yet"),
    ):
        page.goto(f"/console/{name}")
        expect(page.get_by_text(told)).to_be_visible()
        visit.saw(f"{name}-without")


def test_pages_that_need_a_script_say_so_without_one(served: Service) -> None:
    with browsing(served, WRITE_KEY) as client:
        for name in ("attention", "creative"):
            (told,) = re.findall("<noscript>(.+?)</noscript>", client.get(f"/console/{name}").text)
            assert "This page needs JavaScript" in told


def test_errors_are_pages(service: Service, visiting: Visiting) -> None:
    visit = visiting(service, key=WRITE_KEY)
    visit.expected += ["status of 403", "status of 404"]
    page = visit.page
    page.goto("/console/models")
    expect(page.get_by_role("alert")).to_contain_text("this page needs an admin key")
    visit.saw("forbidden")
    page.get_by_role("link", name="Back to the start").click()
    expect(page.get_by_role("heading", name="Attention", exact=True)).to_be_visible()
