"""The pages in a real browser: quiet, self-contained, readable on a phone, in the dark and by a screen reader."""

from __future__ import annotations

import pytest

from myths import suite
from myths.lab.report import site
from tests.lab.report import coin
from tests.lab.report.conftest import DESK, OPEN_ALL, PHONE

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[test]'")

PAGES = ("index.html", "fair-coin.html", "compare-local-cpu-quick-published-cpu-laptop.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    runs = [
        coin.analysis(root / "published" / "cpu-laptop", myth=coin.DRAWN),
        coin.analysis(root / "local" / "cpu-quick", "quick", {"button": (5500,), coin.HOSTILE: (5000,), "ducat": (5100, 5120, 5090)}),
    ]  # the hostile coin's name is a setting and a cell of trials.jsonl
    return site.build(runs, root / "report", suite.OURS).parent


@pytest.mark.parametrize("name", ["index.html", "fair-coin.html"])
def test_a_hostile_string_is_text_and_nothing_runs(visit, name):
    page = visit(name)
    assert page.locator("img[onerror], script:has-text('alert')").count() == 0
    assert coin.HOSTILE in page.locator("body").text_content()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(visit, name, scheme):
    page = visit(name, PHONE, scheme)
    page.evaluate(OPEN_ALL)
    page.evaluate("document.querySelectorAll('#references a').forEach(a => a.textContent += 'doi.org/10.1109/'.repeat(9))")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("name", PAGES)
def test_claims_are_read_on_a_phone_without_scrolling_sideways(visit, name):
    page = visit(name, PHONE)
    page.evaluate(OPEN_ALL)
    cut = "tables => tables.filter(t => t.getBoundingClientRect().right > innerWidth).length"
    assert page.locator("table.claims, #all-claims").count()
    assert page.eval_on_selector_all("table.claims, #all-claims", cut) == 0


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "size"), [("light", DESK), ("dark", PHONE)])
def test_axe_finds_no_violation(visit, name, scheme, size):
    page = visit(name, size, scheme)
    page.evaluate(OPEN_ALL)
    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found] == []


def test_dark_pages_are_dark(visit):
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert visit("index.html", scheme="light").evaluate(shade) > 200
    assert visit("index.html", scheme="dark").evaluate(shade) < 60


def numbers(page):
    """The measured numbers of the rows that are shown, from top to bottom."""
    script = "rows => rows.filter(r => !r.hidden).map(r => r.cells[4].dataset.key)"
    return page.eval_on_selector_all("#all-claims tbody tr", script)


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_claims_sort_both_ways_with_the_unmeasured_last(visit, by):
    page = visit("index.html")
    before = numbers(page)
    button = page.locator("#all-claims thead button", has_text="Measured")
    act = button.click if by == "mouse" else lambda: (button.focus(), page.keyboard.press("Enter"))
    measured = sorted(float(n) for n in before if n)
    assert "" in before
    assert len(set(measured)) > 3
    act()
    assert [float(n) for n in numbers(page) if n] == measured
    assert numbers(page)[-1] == ""
    assert page.locator("#all-claims [aria-sort=ascending]").inner_text() == "Measured"
    act()
    assert [float(n) for n in numbers(page) if n] == measured[::-1]
    assert numbers(page)[-1] == ""


def test_claims_filter_by_choice_and_by_words(visit):
    page = visit("index.html")
    shown = page.locator("#all-claims tbody tr:visible")
    everything = shown.count()
    assert page.locator(".filters output").inner_text() == f"{everything} of {everything} claims"
    page.locator("select[data-column=verdict]").select_option("illustration")
    assert set(shown.locator(".verdict").all_inner_texts()) == {"◇ illustration"}
    page.locator("select[data-column=profile]").focus()
    page.keyboard.press("q")  # chooses "quick" without a mouse
    assert 0 < shown.count() < everything
    page.locator(".filters input").fill("no such claim")
    assert page.locator(".filters output").inner_text() == f"0 of {everything} claims"


def test_a_number_leads_to_its_line_though_the_listing_is_closed(visit):
    page = visit("fair-coin.html")
    page.locator("#published-cpu-laptop-claim-c1-guilder a.ours-number").click()
    line = page.locator("tr:target")
    assert line.is_visible()
    assert "coin=guilder" in line.inner_text()


def test_the_front_page_answers_on_its_first_screen(visit):
    page = visit("index.html", {"width": 1280, "height": 1000})
    for said in (page.locator("#tally"), page.locator("#hardware"), page.locator(".glance .verdict.stamp").first):
        box = said.bounding_box()
        assert box["y"] + box["height"] < 1000
    assert "Abacus 3000" in page.locator("#hardware").inner_text()
    assert page.locator(".glance tbody tr").count() == len(suite.OURS) + 1  # and the coin
    assert all(path.stat().st_size < 3e6 for path in visit.folder.glob("*.html"))


def test_paper_holds_the_page_without_its_controls(visit):
    page = visit("index.html")
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
