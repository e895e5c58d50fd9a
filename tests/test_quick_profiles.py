"""The profile quick of every myth, run, and derived twice. Each test is handed to a worker alone: it takes a good part of a minute."""

import dataclasses

import pytest

from myths import suite
from myths.lab.analysis import analyze, write
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results
from myths.lab.trial import Trial
from tests.running import run_all

SHORTER = 4
"""By how much trainings are shorter here, and again those of more than a hundred layers: training is most of what the profile does."""
LENGTHS = {"epochs", "updates"}
"""Fields of trials that say how long is trained."""


def in_short(value):
    """Return a trial, and those that it depends on, with the same data, networks and settings, trained for fewer steps."""
    if isinstance(value, tuple):
        return tuple(map(in_short, value))
    if not isinstance(value, Trial):
        return value
    fields = {field.name: in_short(getattr(value, field.name)) for field in dataclasses.fields(value)}
    less = SHORTER**2 if fields.get("depth", 0) > 100 else SHORTER
    return dataclasses.replace(value, **fields | {name: type(fields[name])(fields[name] / less) for name in LENGTHS & fields.keys()})


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.MYTHS])
def test_quick_runs_and_everything_can_be_derived_again(myth, tmp_path):
    run = RunFolder(tmp_path / "cpu-quick")
    run_all([in_short(trial) for trial in myth.trials("quick", 2, ())], run.store(myth))
    written = []
    for _ in range(2):
        write(analyze(myth, RunFolder(run.path)))
        files = sorted(p for p in run.path.rglob("*") if p.suffix in {".csv", ".svg"})
        written.append({str(p): p.read_bytes() for p in files})
    assert written[0] == written[1]
    assert any(name.endswith("claims.csv") for name in written[0])
    results = Results(run.store(myth).records)
    for name, table in myth.tables.items():
        rows = table(results)
        if len(rows):
            assert {"protocol", "dataset", "device"} <= set(rows), f"table {name} does not say how its rows came about"
