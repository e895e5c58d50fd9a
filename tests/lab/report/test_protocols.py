"""The page of protocols is whole, and the committed one is what the command gives."""

from pathlib import Path

import pytest

from myths import suite
from myths.lab.report.formatting import shown_unit
from myths.lab.report.protocols import protocols
from tests.lab.report import coin

COMMITTED = Path(__file__).parents[3] / "docs" / "protocols.md"


@pytest.fixture(scope="module")
def text():
    return protocols(suite.OURS)


def test_the_committed_page_is_what_the_command_gives(text):
    assert COMMITTED.read_text() == text, "make it again: myths protocols > docs/protocols.md"


def test_every_claim_and_trial_is_on_the_page(text):
    for myth in suite.OURS:
        section = text.split(f"## {myth.number}. {myth.name}\n")[1].split("\n## ")[0]
        assert all(
            f"| {claim.id}: {claim.kind}" in section and shown_unit(claim.criterion_text).replace("|", "\\|") in section
            for claim in myth.claims
        )
        assert all(f"- **{kind.__name__}** (version {kind.version}" in section for kind in myth.trial_types)


def test_recalled_numbers_are_marked_and_cells_stay_cells():
    lines = protocols([coin.COIN]).splitlines()
    rows = {line.split(":")[0].removeprefix("| "): line for line in lines if line.startswith("| C")}
    assert len(rows) == len(coin.CLAIMS)
    assert "†" in rows["C1-guilder"]
    assert "†" not in rows["C1-ducat"]
    assert "> 50 %" in rows["C1-ducat"]
    assert all(line.count("|") == lines[lines.index("### Claims") + 2].count("|") for line in rows.values())
