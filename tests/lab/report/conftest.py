"""A real browser for the tests of the pages; each module gives the ``folder`` that its pages lie in."""

from __future__ import annotations

import shutil

import pytest

from myths.lab.report import parallel_map

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """What a test builds, it builds here: processes would load matplotlib each time. The pages that modules share are built in parallel."""
    monkeypatch.setattr(parallel_map, "cores", lambda: 1)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium is installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, folder):
    """Opens a page from the disk; afterwards, nothing may have been said on the console or asked of a network."""
    said, asked, contexts = [], [], []

    def go(name: str, size=DESK, scheme="light", at=""):
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(folder / name).as_uri()}{at}")
        return page

    go.folder = folder
    yield go
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
