"""The pages about models, clicked through in a real browser."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from models.registry import Registry
from tests.console_pages import Visit
from tests.running_service import ADMIN_KEY, Service, running_service
from tests.served_attention import artifact
from tests.tiny_model import NAME

Visiting = Callable[..., Visit]


def test_from_the_list_to_a_version(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    page = visit.page
    expect(page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    for name in (NAME, "page", "shoes"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page.get_by_text("answering", exact=True)).to_have_count(3)
    visit.saw("models")

    page.get_by_role("link", name=NAME, exact=True).click()
    rows = page.get_by_role("region", name="Versions").get_by_role("row")
    expect(rows).to_have_count(5)  # the head, three that were promoted, one that was refused
    expect(rows.nth(1)).to_contain_text("champion")
    expect(rows.nth(2)).to_contain_text("predecessor")
    expect(page.get_by_role("region", name="History")).to_contain_text("auc is 0.512, expected at least 0.55")
    visit.saw("model")

    rows.nth(1).get_by_role("link").click()
    expect(page.get_by_role("row", name="AUC gate").first).to_contain_text("0.7440")
    expect(page.get_by_role("img", name="Calibration of yes")).to_be_visible()
    expect(page.get_by_role("region", name="Segments yes")).to_contain_text("very high")
    visit.saw("version")


def test_two_versions_side_by_side(served: Service, visiting: Visiting) -> None:
    visit = visiting(served)
    page = visit.page
    page.goto(f"/console/models/behavior/{NAME}")
    page.get_by_role("button", name="Compare the chosen two").click()
    row = page.get_by_role("row", name="AUC 0.7440")
    expect(row).to_contain_text("0.7310")
    expect(row).to_contain_text("\N{MINUS SIGN}0.0130")
    expect(row).to_contain_text("first")
    expect(page.get_by_text("judged on data of different days")).to_be_visible()
    expect(page.get_by_role("img", name="Calibration of yes")).to_have_count(2)
    visit.saw("compare")


def test_a_small_window(served: Service, visiting: Visiting) -> None:
    visit = visiting(served, width=390)
    visit.page.goto(f"/console/models/behavior/{NAME}")
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390  # tables scroll by themselves
    visit.saw("model-small")


def test_the_switch_of_the_theme_is_kept(served: Service, visiting: Visiting) -> None:
    page = visiting(served).page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    switch = page.get_by_role("button", name="Theme")
    switch.click()
    expect(switch).to_have_text("Theme: light")
    switch.click()
    expect(switch).to_have_text("Theme: dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    switch.click()
    expect(switch).to_have_text("Theme: system")
    assert page.evaluate(ground) == light


def test_by_keyboard_alone(served: Service, visiting: Visiting) -> None:
    page = visiting(served).page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=NAME, level=1)).to_be_visible()


def test_promotion_through_every_gate_a_refusal_and_a_rollback(tmp_path: Path, visiting: Visiting) -> None:
    registry = Registry(tmp_path / "registry")
    good = {"auc": 0.8, "cc": 0.5, "information_gain": 0.1, "nss": 1.2, "kld": 1.0}
    first, second, bad = (
        registry.publish(_judged(tmp_path / name, metrics), "attention", "banner", "anna")
        for name, metrics in (("first", good), ("second", {**good, "nss": 1.3}), ("bad", {**good, "nss": 0.2}))
    )
    with running_service(tmp_path / "state", {"AUGURY_REGISTRY": str(tmp_path / "registry")}, workers=2) as service:
        visit = visiting(service, key="")
        visit.sign_in(ADMIN_KEY, "Anna")
        _promote(visit, first, "the first of all")
        expect(visit.page.get_by_text("It is the champion now")).to_be_visible(timeout=90_000)
        expect(visit.page.get_by_role("list").filter(has_text="golden set")).to_contain_text("6 of 6 predictions")
        visit.saw("promoted")
        champion = registry.champion("attention", "banner")
        assert champion is not None
        assert (champion.version, champion.by, champion.reason) == (first, "Anna (console)", "the first of all")
        assert [gate["passed"] for gate in champion.gates] == [True] * 7  # five limits, the champion, the golden set

        _promote(visit, bad, "no better")
        expect(visit.page.get_by_text("it did not pass every gate")).to_be_visible(timeout=90_000)
        expect(visit.page.get_by_text("nss is 0.2, expected at least 1")).to_be_visible()
        visit.saw("refused")
        assert registry.champion("attention", "banner") == champion

        _promote(visit, second, "")
        expect(visit.page.get_by_text("It is the champion now")).to_be_visible(timeout=90_000)
        visit.page.get_by_role("link", name="To the model").click()
        visit.page.get_by_role("link", name="Roll back").click()
        visit.saw("rollback")
        visit.page.get_by_label("Why").fill("clicks fell")
        visit.page.get_by_role("button", name="Roll back").click()
        assert registry.champion("attention", "banner").version == second  # the form wants to be confirmed
        visit.page.get_by_label("Yes, roll back").check()
        visit.page.get_by_role("button", name="Roll back").click()
        expect(visit.page.get_by_text("clicks fell").first).to_be_visible()
        rolled = registry.champion("attention", "banner")
        assert rolled is not None
        assert (rolled.version, rolled.action, rolled.by) == (first, "rollback", "Anna (console)")


def _judged(folder: Path, metrics: dict[str, float]) -> Path:
    """Writes an artifact; all were judged on the same data, so that they can be compared."""
    made = artifact(folder, metrics=metrics)
    (made / "dataset_card.json").write_text("{}")
    return made


def _promote(visit: Visit, version: str, reason: str) -> None:
    page = visit.page
    page.goto(f"/console/models/attention/banner/{version}")
    page.get_by_role("link", name="Promote").click()
    page.get_by_label("Why").fill(reason)
    page.get_by_label("Yes, promote it").check()
    visit.saw("promote")
    page.get_by_role("button", name="Try the gates and promote").click()
