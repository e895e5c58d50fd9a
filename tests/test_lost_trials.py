"""One failure costs one number: whichever trials of a run failed, the others make their tables, verdicts and figures."""

import json
import random
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from myths import suite
from myths.lab.analysis import analyze
from myths.lab.storage.run_folder import RunFolder
from myths.lab.verdict import Verdict

PUBLISHED = RunFolder(Path(__file__).parents[1] / "results" / "published" / "cpu-laptop")


@pytest.mark.parametrize("myth", [myth for myth in suite.OURS if PUBLISHED.has_results(myth)], ids=lambda myth: myth.name)
def test_the_trials_that_are_left_are_judged(myth, tmp_path):
    chance = random.Random(myth.name)
    lines = [json.loads(line) for line in (PUBLISHED.path / myth.folder / "trials.jsonl").read_text().splitlines()]
    versions = {kind.__name__: kind.version for kind in myth.trial_types}
    lines = [line for line in lines if line["version"] == versions[line["trial"]]]  # those of an older version are ignored
    failed = [line | {"status": "failed", "rows": [], "error": "the worker process was ended by SIGABRT"} for line in lines]
    mixed = [broken if chance.random() < 0.6 else whole for whole, broken in zip(lines, failed, strict=True)]
    run = RunFolder(tmp_path / "cpu-laptop")
    (run.path / myth.folder).mkdir(parents=True)
    (run.path / myth.folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in mixed))
    (run.path / "run.json").write_text((PUBLISHED.path / "run.json").read_text())
    found = analyze(myth, run)
    for figure in myth.figures.values() if myth.name == "fixup" else ():  # drawing those of all takes too long for every test run
        figure(found.tables)
        plt.close("all")
    assert {j.claim.id for j in found.claim_results} == {claim.id for claim in myth.claims}
    finished = {line["id"] for line in mixed if line["status"] == "ok"}  # a trial that ran again has two lines
    assert len(found.failed) == len({line["id"] for line in mixed} - finished)
    lost = [j for j in found.claim_results if j.verdict is Verdict.NOT_TESTED and any(j.claim.selects(r.trial) for r in found.failed)]
    assert lost, "with so many failures some claim has no number"
    assert all("failed: worker process ended by SIGABRT" in j.reason for j in lost if j.estimate is None)
