"""The pages in a real browser: quiet, self-contained, readable on a phone, in the dark and by a screen reader."""

from __future__ import annotations

import shutil

import pytest

from myths.lab.report import site
from tests.lab.report import coin

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[test]'")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")

PAGES = ("index.html", "fair-coin.html")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    runs = [
        coin.derived(root / "published" / "cpu-laptop"),
        coin.derived(root / "local" / "cpu-quick", "quick", {"button": (5500,), "ducat": (5100, 5120, 5090)}),
    ]
    return site.build(runs, root / "report").parent


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, folder):
    """Opens a page from the disk; afterwards, nothing may have been said on the console or asked of a network."""
    said, asked, contexts = [], [], []

    def go(name, size=DESK, scheme="light", at=""):
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(folder / name).as_uri()}{at}")
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_string_is_text_and_nothing_runs(visit, name):
    page = visit(name)
    assert page.locator("img[onerror], script:has-text('alert')").count() == 0
    assert coin.HOSTILE in page.locator("body").text_content()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(visit, name, scheme):
    page = visit(name, PHONE, scheme)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


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
