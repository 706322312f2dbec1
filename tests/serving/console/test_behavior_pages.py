"""Looking a visitor up, clicked through in a real browser; ids and names of events that would like to be markup."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
from playwright.sync_api import expect

from tests.console_pages import Visit
from tests.running_service import Service
from tests.tiny_model import NAME

Visiting = Callable[..., Visit]

HOSTILE = '<script>document.title="taken"</script><img src=x onerror=alert(1)>"\'&'


def send(service: Service, visitor: str, *events: str, minutes_ago: float = 10) -> None:
    """Has the service collect events a few seconds apart."""
    start = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    batch = [
        {
            "type": "track",
            "anonymousId": visitor,
            "event": event,
            "messageId": f"{visitor[:40]}-{minutes_ago}-{place}",
            "timestamp": (start + timedelta(seconds=5 * place)).isoformat(),
            "context": {"page": {"url": f"https://shop.example/{quote(event)}"}},
        }
        for place, event in enumerate(events)
    ]
    with service.client() as client:
        answer = client.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200, answer.text


def predicted(service: Service, visitor: str) -> float:
    with service.admin() as client:
        return float(client.get(f"/v1/predict/{NAME}/{quote(visitor, safe='')}").json()["probability"])


def test_a_visitor_live(served: Service, visiting: Visiting) -> None:
    send(served, "ann-1", "Product Viewed", "Product Added", "Order Completed", "Page Viewed", "Product Added")
    visit = visiting(served)
    page = visit.page
    page.get_by_role("link", name="Behaviour").click()
    expect(page.get_by_role("img", name="Events a second")).to_be_visible()
    page.get_by_role("searchbox").fill("ann-1")
    page.get_by_role("button", name="Look up").click()
    rows = page.get_by_role("region", name="Events").get_by_role("row")
    expect(rows).to_have_count(6)
    now = f"{100 * predicted(served, 'ann-1'):.2f} %"
    expect(rows.nth(1)).to_contain_text(now)  # the newest first, with the very probability that the API gives
    expect(rows.nth(3)).to_contain_text("not seen by the model")
    expect(page.get_by_role("img", name="Probability after each of 5 events")).to_be_visible()
    expect(page.get_by_role("row", name="accepted")).to_contain_text("5")

    with page.expect_response(lambda answer: "/behavior/visitor?" in answer.url and answer.status == 204):
        pass  # nothing has changed
    send(served, "ann-1", "Product Viewed", "Page Viewed", minutes_ago=1)
    expect(rows).to_have_count(8)
    expect(rows.nth(1)).to_contain_text(f"{100 * predicted(served, 'ann-1'):.2f} %")
    visit.saw("behaviour")

    live = page.get_by_role("button", name="Live")
    expect(live).to_have_attribute("aria-pressed", "true")
    live.click()
    expect(live).to_have_text("Live: off")


def test_nothing_is_asked_while_the_tab_is_hidden(served: Service, visiting: Visiting) -> None:
    send(served, "hidden-1", "Page Viewed")
    page = visiting(served).page
    page.clock.install()
    page.goto("/console/behavior?visitor=hidden-1")
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); "
    hide += "document.dispatchEvent(new Event('visibilitychange')); }"
    for _ in range(2):
        with page.expect_response(lambda answer: "/behavior/visitor?" in answer.url):
            page.clock.run_for(3_100)
    page.evaluate(hide, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request(lambda request: "/behavior/visitor?" in request.url):
        page.evaluate(hide, False)


def test_ids_and_names_that_would_like_to_be_markup(served: Service, visiting: Visiting) -> None:
    send(served, HOSTILE, HOSTILE, "Page Viewed")
    visit = visiting(served)
    page = visit.page
    page.goto("/console/behavior")
    page.get_by_role("searchbox").fill(HOSTILE)
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("heading", name=HOSTILE, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Events")).to_contain_text(HOSTILE)
    expect(page).to_have_title("Behaviour · Augury")
    expect(page.get_by_role("searchbox")).to_have_value(HOSTILE)
    with page.expect_response(lambda answer: "/behavior/visitor?" in answer.url):
        pass  # what is kept up to date is asked for by the id, too
    assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    served_lines = "".join(served.lines)
    assert "taken" not in served_lines and "ann-1" not in served_lines


def test_a_very_long_name_leaves_room_for_what_is_said_of_it(served: Service, visiting: Visiting) -> None:
    send(served, "long-1", "E" * 10_000, "Page Viewed")
    page = visiting(served).page
    page.goto("/console/behavior?visitor=long-1")
    events = page.get_by_role("region", name="Events")
    expect(events).to_be_visible()
    assert events.evaluate("found => found.scrollWidth <= found.clientWidth")
    assert events.get_by_role("row").nth(2).evaluate("row => row.clientHeight") < 120  # pixels


def test_somebody_unknown_and_somebody_impossible(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    visit.page.goto("/console/behavior?visitor=nobody")
    expect(visit.page.get_by_text("Nothing is kept of this visitor")).to_be_visible()
    visit.saw("behaviour-unknown")
    visit.page.goto(f"/console/behavior?visitor={'x' * 500}")
    expect(visit.page.get_by_role("alert")).to_contain_text("give an anonymous id, or user: and a user id")


def test_what_moved_the_probability(served: Service, visiting: Visiting) -> None:
    send(served, "moved-1", "Product Viewed", "Product Added", "Page Viewed")
    with served.admin() as client:
        answer = client.get(f"/v1/predict/{NAME}/moved-1?explain=occlusion").json()
    visit = visiting(served)
    page = visit.page
    page.goto("/console/behavior?visitor=moved-1")
    page.get_by_role("button", name="Explain this prediction").click()
    if "attribution" in answer:
        expect(page.get_by_role("region", name="Attribution").get_by_role("row")).to_have_count(4)
    else:
        expect(page.get_by_text("does not tell which events moved a prediction")).to_be_visible()
    visit.saw("behaviour-explained")


def test_drops_are_counted_with_their_reasons(served: Service) -> None:
    from tests.serving.console.test_routes import browsing

    with served.client() as client:
        assert client.post("/v1/track", json={"event": "No Visitor"}).status_code == 400
    with browsing(served, "test-admin-key") as client:
        page = client.get("/console/behavior/throughput", headers={"X-Console": "fragment"}).text
    assert "rejected: no visitor id" in page
    assert httpx.get(f"{served.url}/console/behavior/throughput").status_code == 303
