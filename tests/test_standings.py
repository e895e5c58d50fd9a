"""What `myths list` and `myths show` say of a run is what its claims.csv says."""

import csv
import json

import pytest

from myths import standings, suite
from myths.terminal import Terminal

HELD = [(myth, run) for run in suite.runs(suite.CARRIED) for myth in suite.OURS if run.has(myth)]


@pytest.mark.parametrize(("myth", "run"), [pytest.param(myth, run, id=f"{run.name}-{myth.name}") for myth, run in HELD])
def test_the_page_of_a_myth_says_of_each_claim_what_the_run_judged(myth, run, monkeypatch, capsys):
    """A claim that decides in another one's place is marked, and the other one is not."""
    monkeypatch.setattr(suite, "runs", lambda *roots: [run])
    standings.show(myth, Terminal(), as_json=True)
    shown = {line["claim"]: (line["verdict"], line["decisive"], line["reason"]) for line in json.loads(capsys.readouterr().out)}
    with (run.path / myth.folder / "claims.csv").open(newline="", encoding="utf-8") as file:
        judged = {line["claim"]: (line["verdict"], line["decisive"] == "True", line["reason"]) for line in csv.DictReader(file)}
    assert {claim: shown[claim] for claim in judged} == judged


def test_the_page_of_a_myth_that_was_never_run_marks_what_is_declared(monkeypatch, capsys):
    monkeypatch.setattr(suite, "runs", lambda *roots: [])
    for myth in suite.OURS:
        standings.show(myth, Terminal(), as_json=True)
        shown = {line["claim"] for line in json.loads(capsys.readouterr().out) if line["decisive"]}
        assert shown == {claim.id for claim in myth.claims if claim.decisive}
