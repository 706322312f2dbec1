"""The five answers about a product photo, clicked through in a real browser."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.console_pages import Visit
from tests.running_service import WRITE_KEY, Service
from tests.served_creative import PHOTO
from tests.serving.console.test_routes import browsing, change_token

Visiting = Callable[..., Visit]


def test_the_five_answers(served: Service, visiting: Visiting) -> None:
    with served.admin() as client:
        query = {"target": "click_through", "industry": "unheard of"}
        headers = {"Content-Type": "image/png"}
        told = client.post("/v1/creative/recommend", params=query, content=PHOTO, headers=headers).json()
    visit = visiting(served, key=WRITE_KEY)
    page = visit.page
    page.get_by_role("link", name="Creative").click()
    ask = page.get_by_role("button", name="Recommend")
    expect(ask).to_be_disabled()
    expect(page.get_by_text("learnt from simulated conversions")).to_be_visible()
    page.locator("#file").set_input_files({"name": "shoe.png", "mimeType": "image/png", "buffer": PHOTO})
    page.get_by_label("Industry").fill("unheard of")
    ask.click()
    for number, answer in enumerate(
        (
            "The photo as it is",
            "Its versions",
            "The best version",
            "Other products\N{RIGHT SINGLE QUOTATION MARK} photos",
            "The best of those",
        ),
        1,
    ):
        expect(page.get_by_role("heading", name=f"{number} {answer}")).to_be_visible()
    versions = page.get_by_role("region", name="Versions of the photo")
    for variant in told["variants"]:
        row = versions.get_by_role("row").filter(has=page.get_by_role("rowheader", name=variant["name"]))
        expect(row).to_contain_text(f"{100 * variant['probability']:.1f} %")
        expect(row).to_contain_text(f"{100 * variant['low']:.1f} % \N{EN DASH} {100 * variant['high']:.1f} %")
        if variant["name"] != "original":
            words = {True: "better", False: "worse", None: "no difference"}
            expect(row).to_contain_text(words[variant["better"]])
    expect(page.get_by_role("region", name="Other products").get_by_role("row")).to_have_count(
        len(told["alternates"]) + 1
    )
    expect(page.get_by_text("'unheard of' was never seen in training")).to_be_visible()
    visit.saw("creative")


def test_what_cannot_be_asked(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    page = visit.page
    page.goto("/console/creative")
    page.locator("#file").set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no image"})
    expect(page.get_by_role("alert")).to_have_text("This file is no image that a browser can show.")
    expect(page.get_by_role("button", name="Recommend")).to_be_disabled()
    visit.saw("creative-error")


def test_the_answers_are_never_those_of_another_photo(served: Service, visiting: Visiting) -> None:
    page = visiting(served).page
    page.goto("/console/creative")
    file = {"name": "shoe.png", "mimeType": "image/png", "buffer": PHOTO}
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Recommend").click()
    first = page.get_by_role("heading", name="1 The photo as it is")
    expect(first).to_be_visible()
    page.locator("#file").set_input_files({**file, "buffer": b"no image"})
    expect(page.get_by_role("alert")).to_have_text("This file is no image that a browser can show.")
    expect(first).to_be_visible()  # the photo stays, and so do its answers
    assert page.locator("#photo").evaluate("photo => photo.naturalWidth") > 0
    page.locator("#file").set_input_files(file)
    expect(first).to_have_count(0)


def test_a_question_without_its_token_is_refused(served: Service) -> None:
    with browsing(served, WRITE_KEY) as client:
        headers = {"Content-Type": "image/png", "X-Console": "fragment"}
        path = "/console/creative/answers?target=click_through"
        assert client.post(path, content=PHOTO, headers=headers).status_code == 403
        headers["X-Change-Token"] = change_token(client, "/console/creative")
        assert client.post(path, content=PHOTO, headers=headers).status_code == 200
        answer = client.post("/console/creative/answers?target=nothing", content=PHOTO, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "unknown_target")
