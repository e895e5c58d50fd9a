"""Write the screenshots of the report on the published runs for the README: ``make screenshots``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
SHOTS = (("index.html", "light", "report.png", 1500), ("cifar10-1.html#published-cpu-laptop", "dark", "myth.png", 1300))
"""Page and anchor, color scheme, file, height in pixels."""
NEEDED = "screenshots need playwright and a chromium: pip install playwright, then apt-get install chromium or playwright install chromium"


def main() -> None:
    """Build the site of the published runs in a temporary folder and write a screenshot of each page in ``SHOTS``."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        sys.exit(NEEDED)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        try:
            browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        except Error:
            sys.exit(NEEDED)
        subprocess.run([sys.executable, "-m", "myths", "site", folder], check=True, cwd=DOCS.parent)
        for name, scheme, file, height in SHOTS:
            page = browser.new_page(viewport={"width": 1280, "height": height}, color_scheme=scheme)
            page.goto(f"{Path(folder).as_uri()}/{name}")
            page.screenshot(path=DOCS / file)
            print(f"{DOCS.name}/{file}: {name}, {scheme}")
        browser.close()


if __name__ == "__main__":
    main()
