"""What `myths list` and `myths show` say of a run is what its claims.csv says."""

import csv
import json

import pytest

from myths import cli, show, suite
from myths.lab.ranking import measured_elsewhere, other_verdicts
from myths.lab.report.formatting import format_value
from myths.lab.storage.run_folder import RunFolder
from myths.run_summaries import summaries
from myths.terminal import Terminal

HELD = [(myth, run) for run in suite.runs(suite.BUNDLED) for myth in suite.OURS if run.has_results(myth)]


@pytest.mark.parametrize(("myth", "run"), [pytest.param(myth, run, id=f"{run.name}-{myth.name}") for myth, run in HELD])
def test_the_page_of_a_myth_says_of_each_claim_what_the_run_judged(myth, run, monkeypatch, capsys):
    """A claim that decides in another one's place is marked, and the other one is not."""
    monkeypatch.setattr(suite, "runs", lambda *roots: [run])
    show.show_myth(myth, Terminal(), as_json=True)
    shown = {line["claim"]: line for line in json.loads(capsys.readouterr().out)}
    with (run.path / myth.folder / "claims.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            found = shown[line["claim"]]
            assert (found["verdict"], str(found["primary"]), found["reason"]) == (line["verdict"], line["primary"], line["reason"])
            assert found["estimate"] == (float(line["estimate"]) if line["estimate"] else None)
            assert found["trials"] == line["trials"].split()


def test_show_and_list_name_other_runs_as_the_scoreboard_does(capsys):
    """Of the published runs: a run with another verdict, and the number of another run for a primary claim that the best run lacks."""
    board = (suite.BUNDLED.parent / "README.md").read_text(encoding="utf-8")
    for myth in suite.OURS:
        runs = summaries(myth, suite.BUNDLED)
        show.show_myth(myth, Terminal(), as_json=False, results=suite.BUNDLED)
        shown = " ".join(capsys.readouterr().out.split())
        row = next(line for line in board.splitlines() if line.startswith(f"| {myth.number} "))
        assert f"**{runs[0].judgment}**" in row
        assert f"| {runs[0].run.name} (" in row
        assert row.count("<br>also ") == shown.count("Verdict in run") - 1 == len(other_verdicts(runs))
        assert row.count("; in run ") == len(measured_elsewhere(runs))
        for run, record in measured_elsewhere(runs).values():
            assert f"run {run.run.name}: {record.verdict}, measured {format_value(record.measured)}" in shown
            assert f"; in run {run.run.name} " in row
    cli._print_summaries(as_json=True, results=suite.BUNDLED)
    listed = {line["myth"]: line["other_verdicts"] for line in json.loads(capsys.readouterr().out)}
    for myth in suite.OURS:
        assert listed[myth.name] == "; ".join(
            f"{each.run.name}: {each.judgment}" for each in other_verdicts(summaries(myth, suite.BUNDLED))
        )


def test_a_run_of_another_version_is_left_out_with_a_word(tmp_path, monkeypatch, capsys, caplog):
    """Its claims.csv lacks a column or has a verdict that this version does not know."""
    myth = suite.OURS[0]
    for place, text in enumerate(("claim,verdict\nH1,reproduced\n", "")):
        folder = tmp_path / f"run-{place}" / myth.folder
        folder.mkdir(parents=True)
        (folder / "claims.csv").write_text(text, encoding="utf-8")
    monkeypatch.setattr(suite, "runs", lambda *roots: [RunFolder(path) for path in sorted(tmp_path.iterdir())])
    show.show_myth(myth, Terminal(), as_json=False)
    assert f"Not run yet. To run it: myths run {myth.name}" in capsys.readouterr().out
    assert "claims.csv has the format of another version ('myth') and is ignored; `myths report run-0` rewrites it" in caplog.text


def test_the_page_of_a_myth_that_was_never_run_marks_what_is_declared(monkeypatch, capsys):
    monkeypatch.setattr(suite, "runs", lambda *roots: [])
    for myth in suite.OURS:
        show.show_myth(myth, Terminal(), as_json=True)
        shown = {line["claim"] for line in json.loads(capsys.readouterr().out) if line["primary"]}
        assert shown == {claim.id for claim in myth.claims if claim.primary}
