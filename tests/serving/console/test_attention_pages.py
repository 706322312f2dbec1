"""Heatmaps, regions, two designs and what can be kept, clicked through in a real browser."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, expect

from tests.console_pages import Visit
from tests.designs import OFFER, SIZE, design
from tests.running_service import WRITE_KEY, Service
from tests.serving.console.test_routes import browsing, change_token

Visiting = Callable[..., Visit]

OLD, NEW = design(), design(newer=True)


def huge() -> bytes:
    """A picture that a browser shows and the service refuses, for its pixels."""
    file = io.BytesIO()
    Image.new("1", (5000, 5000)).save(file, "PNG")
    return file.getvalue()


def choose(page: Page, field: str, content: bytes, name: str = "design.png") -> None:
    page.locator(field).set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def share(service: Service, region: str) -> float:
    """Returns what the API says of a region of the newer design."""
    with service.admin() as client:
        headers = {"Content-Type": "image/png"}
        query = {"format": "json", "region": region}
        answer = client.post("/v1/attention/heatmap", params=query, content=NEW, headers=headers)
    return float(answer.json()["regions"][0]["share"])


def test_a_heatmap_with_regions_drawn_and_typed(served: Service, visiting: Visiting, tmp_path: Path) -> None:
    visit = visiting(served, key=WRITE_KEY)
    page = visit.page
    expect(page.get_by_role("heading", name="Attention")).to_be_visible()
    expect(page.get_by_role("link", name="Models")).to_have_count(0)
    visit.saw("attention-empty")
    choose(page, "#file", NEW)
    expect(page.get_by_text("What was found")).to_be_visible()
    expect(page.locator("#overlay")).to_be_visible()
    page.get_by_label("Opacity").fill("40")
    assert page.evaluate("document.getElementById('overlay').style.opacity") == "0.4"

    # Drawn with the mouse: in pixels of the design, however large it is shown.
    box = page.locator("#image").bounding_box()
    assert box is not None
    scale = box["width"] / SIZE[0]
    x, y, width, height = OFFER
    page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + (x + width) * scale, box["y"] + (y + height) * scale, steps=4)
    page.mouse.up()
    typed = [float(page.get_by_label(f"{field} of region 1").input_value()) for field in ("x", "y", "width", "height")]
    assert all(abs(a - b) <= 2 / scale for a, b in zip(typed, OFFER, strict=True)), typed

    # And by the keyboard alone.
    for field, value in zip(("x", "y", "width", "height"), OFFER, strict=True):
        page.get_by_label(f"{field} of region 1").fill(str(value))
    page.get_by_label("name of region 1").fill("Offer: <b>30 %</b>")
    page.get_by_role("button", name="Add a region").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("name of region 2")).to_be_focused()
    page.keyboard.type("Head")
    for field, value in (("x", 0), ("y", 0), ("width", SIZE[0]), ("height", 64)):
        page.get_by_label(f"{field} of region 2").fill(str(value))
    rows = page.get_by_role("region", name="Shares").get_by_role("row")
    expect(rows).to_have_count(3)
    expected = f"{100 * share(served, 'Offer:' + ','.join(map(str, OFFER))):.1f} %"
    expect(rows.nth(1)).to_contain_text("Offer: <b>30 %</b>")
    expect(rows.nth(1)).to_contain_text(expected)
    page.get_by_label("Opacity").fill("75")
    visit.saw("attention")

    png = downloaded(page, "Download PNG", tmp_path)
    assert size_of(png) == SIZE
    pdf = downloaded(page, "Download PDF", tmp_path).read_bytes()
    assert pdf.startswith(b"%PDF-") and len(re.findall(rb"/Type /Page\b", pdf)) == 1

    page.get_by_label("remove region 2").click()
    expect(rows).to_have_count(2)


def test_two_designs(served: Service, visiting: Visiting, tmp_path: Path) -> None:
    visit = visiting(served)
    page = visit.page
    page.goto("/console/attention")
    choose(page, "#file", OLD)
    page.get_by_role("button", name="Add a region").click()
    page.get_by_label("name of region 1").fill("Offer")
    for field, value in zip(("x", "y", "width", "height"), OFFER, strict=True):
        page.get_by_label(f"{field} of region 1").fill(str(value))
    choose(page, "#second", NEW)
    expect(page.get_by_text("What became of it")).to_be_visible()
    changes = page.get_by_role("region", name="Changes")
    expect(changes.get_by_role("row", name="Offer")).to_contain_text("yes")
    expect(changes.get_by_role("row", name="Offer")).to_contain_text("+")
    visit.saw("attention-compared")
    assert size_of(downloaded(page, "Download PNG", tmp_path)) == SIZE
    assert downloaded(page, "Download PDF", tmp_path).read_bytes().startswith(b"%PDF-")
    page.get_by_role("button", name="Back to one").click()
    expect(page.get_by_text("What was found")).to_be_visible()


def test_dropped_and_pasted(served: Service, visiting: Visiting) -> None:
    page = visiting(served).page
    for kind in ("drop", "paste"):
        page.goto("/console/attention")
        page.evaluate(
            """([kind, text]) => {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                const data = new DataTransfer();
                data.items.add(new File([bytes], "given.png", { type: "image/png" }));
                const given = { bubbles: true, cancelable: true };
                if (kind === "drop") drop.dispatchEvent(new DragEvent("drop", { ...given, dataTransfer: data }));
                else document.dispatchEvent(new ClipboardEvent("paste", { ...given, clipboardData: data }));
            }""",
            [kind, base64.b64encode(NEW).decode()],
        )
        expect(page.get_by_text("What was found")).to_be_visible()


def test_what_is_no_image_and_what_is_no_region(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    visit.expected.append("status of 400")  # what the browser says of an answer that is an error
    page = visit.page
    page.goto("/console/attention")
    choose(page, "#file", b"no image")
    expect(page.get_by_role("alert")).to_have_text("This file is no image that a browser can show.")
    choose(page, "#file", NEW)
    expect(page.get_by_text("What was found")).to_be_visible()
    page.get_by_role("button", name="Add a region").click()
    page.get_by_label("x of region 1").fill("99999")
    expect(page.get_by_role("alert")).to_contain_text("Region 1")
    visit.saw("attention-error")


def test_what_was_found_is_never_that_of_another_image(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    visit.expected += ["status of 413"]  # what the browser says; an error that nobody caught would be one more
    page = visit.page
    page.goto("/console/attention")
    choose(page, "#file", NEW)
    expect(page.get_by_text("What was found")).to_be_visible()
    expect(page.locator("#overlay")).to_be_visible()
    choose(page, "#second", b"no image")
    expect(page.get_by_role("alert")).to_have_text("This file is no image that a browser can show.")
    expect(page.locator("#overlay")).to_be_visible()  # that of the design, which stays
    choose(page, "#file", huge())
    expect(page.get_by_role("alert")).to_contain_text("expected at most 20000000")
    expect(page.get_by_text("What was found")).to_have_count(0)
    expect(page.locator("#overlay")).to_be_hidden()


def test_a_region_that_begins_outside_is_told_of(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    visit.expected.append("status of 400")
    page = visit.page
    page.goto("/console/attention")
    choose(page, "#file", NEW)
    page.get_by_role("button", name="Add a region").click()
    page.get_by_label("x of region 1").fill("-10")
    expect(page.get_by_role("alert")).to_contain_text("Region 1")


def test_a_question_without_its_token_is_refused(served: Service) -> None:
    with browsing(served, WRITE_KEY) as client:
        token = change_token(client, "/console/attention")
        body = {"content": NEW, "headers": {"Content-Type": "image/png", "X-Console": "fragment"}}
        kinds = ("overlay", "numbers", "report", "compare/overlay", "compare/numbers", "compare/report")
        for kind in kinds:
            assert client.post(f"/console/attention/{kind}", **body).status_code == 403
        body["headers"]["X-Change-Token"] = token
        assert client.post("/console/attention/overlay", **body).content.startswith(b"\x89PNG")
        answer = client.post("/console/attention/overlay?version=x", **body)
        assert (answer.status_code, answer.json()["error"]) == (400, "no_versions_here")
        assert client.post("/console/attention/report?region=bad", **body).json()["error"] == "bad_region"
        assert client.post("/console/attention/numbers?nonsense=1", **body).status_code == 400
    assert httpx.post(f"{served.url}/console/attention/overlay", content=NEW).status_code == 303


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def downloaded(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as waited:
        page.get_by_role("button", name=button).click()
    path = folder / waited.value.suggested_filename
    waited.value.save_as(path)
    return path
