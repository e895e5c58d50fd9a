"""The pages of the runs that are committed, as a reader gets them."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from myths import suite
from myths.lab.analysis import analyze
from myths.lab.report import site
from tests.lab.report.conftest import DESK, OPEN_ALL, PHONE

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[test]'")

PUBLISHED = Path(__file__).parents[3] / "results" / "published"
HELD = [myth for myth in suite.OURS if any(run.has_results(myth) for run in suite.runs(PUBLISHED))]
BUT_STROKES = {"exclude": [["svg > *"]]}
"""All but what a figure is drawn of, which has the role of an image and is thousands of elements."""
VIOLATIONS_ALONE = {"resultTypes": ["violations"]}
"""What is right is not described either: a page has thousands of elements."""
PAGES = ["index.html", *(f"{myth.name}.html" for myth in HELD)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = [analyze(myth, run) for run in suite.runs(PUBLISHED) for myth in suite.OURS if run.has_results(myth)]
    return site.build(found, tmp_path_factory.mktemp("published"), suite.OURS).parent


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_no_wider_than_a_phone(visit, name):
    page = visit(name, PHONE, "dark")
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation_in_what_is_first_seen(visit, name):
    found = axe.Axe().run(visit(name, DESK), context=BUT_STROKES, options=VIOLATIONS_ALONE).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found] == []


def without_a_decision_on_a_gpu() -> str:
    """Return what the front page says of GPUs, from the published claims."""
    decided = set()
    for path in suite.BUNDLED.glob("*-gpu/*/claims.csv"):
        claims = pd.read_csv(path)
        if claims["verdict"][claims["kind"] != "control"].isin(["reproduced", "not reproduced", "not seen at this scale"]).any():
            decided.add(path.parent.name)
    return f"Beliefs {', '.join(str(myth.number) for myth in suite.OURS if myth.folder not in decided)}: no claim decided on a GPU yet."


def test_the_front_page_shows_all_seven_and_every_number_has_its_trials(folder):
    front = (folder / "index.html").read_text()
    assert len(re.findall(r'class="belief"', front)) == len(suite.OURS)
    assert without_a_decision_on_a_gpu() in front
    for myth in HELD:
        page = (folder / f"{myth.name}.html").read_text()
        assert (folder / f"{myth.name}.html").stat().st_size < 3e6
        ids = set(re.findall(r'\bid="([^"]+)"', page))
        led = re.findall(r'class="big ours-number" href="#([^"]+)"', page)
        assert led
        assert set(led) <= ids
        listed = re.findall(r'id="[^"]+-from">.*?</tr>', page, flags=re.DOTALL)
        assert all("-trial-" in line for line in listed)
