"""What every myth must keep to. A new myth is tested by being in suite.MYTHS."""

import dataclasses
import json

import numpy as np
import pytest

from myths import suite
from myths.lab import runner
from myths.lab.data import prepared
from myths.lab.data.catalog import CATALOG
from myths.lab.data.embedded import EMBEDDED
from myths.lab.derived import derive, write
from myths.lab.myth import PROFILES
from myths.lab.run_folder import RunFolder
from myths.lab.store import Results, Store
from myths.lab.trial import canonical, decode

MYTHS = [pytest.param(myth, id=myth.name) for myth in suite.MYTHS]
TRIAL_TYPES = [pytest.param(myth, kind, id=f"{myth.name}-{kind.__name__}") for myth in suite.MYTHS for kind in myth.trial_types]


def everything(myth, profile):
    return runner.plan(myth.trials(profile, None, ()), Store(suite.LOCAL / "nowhere", myth.types_by_name), lambda name: None).steps


@pytest.mark.parametrize("myth", MYTHS)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_lists_distinct_decodable_trials_of_declared_types(myth, profile):
    listed = myth.trials(profile, None, ())
    assert listed, f"{profile} runs nothing"
    assert len({trial.id for trial in listed}) == len(listed)
    for step in everything(myth, profile):
        assert type(step.trial) in myth.trial_types
        assert decode(json.loads(json.dumps(canonical(step.trial))), myth.types_by_name) == step.trial
        assert set(step.trial.data) <= set(CATALOG) | set(EMBEDDED)
        assert step.trial.work > 0


@pytest.mark.parametrize("myth", MYTHS)
def test_more_seeds_are_more_trials_and_the_old_ones_stay(myth):
    one, three = ({trial.id for trial in myth.trials("gpu", seeds, ())} for seeds in (1, 3))
    assert one < three


@pytest.mark.parametrize("myth", MYTHS)
def test_quick_needs_no_download(myth):
    assert {name for step in everything(myth, "quick") for name in step.trial.data} <= set(EMBEDDED)


@pytest.mark.parametrize("myth", MYTHS)
def test_claims_are_whole(myth):
    ids = [claim.id for claim in myth.claims]
    assert len(set(ids)) == len(ids)
    assert 1 <= sum(claim.decisive for claim in myth.claims) <= 3
    for claim in myth.claims:
        assert claim.source
        assert claim.statement
        assert claim.table in myth.tables
        assert claim.trial in myth.trial_types
        assert claim.criterion.low > -np.inf or claim.criterion.high < np.inf
        assert set(claim.controls) <= set(ids)
        assert claim.calibration is None or claim.calibration in ids
        assert claim.gives_way_to is None or (claim.decisive and claim.gives_way_to in set(ids) - {claim.id})
        assert not (claim.decisive and claim.paper_checked == "recalled, unsure")


@pytest.mark.parametrize("myth", MYTHS)
def test_tables_without_results_are_empty_and_claims_untested(myth, tmp_path):
    found = derive(myth, RunFolder(tmp_path / "run"))
    assert all(len(table) == 0 for table in found.tables.values())
    assert {str(j.verdict) for j in found.judgements} == {"not tested"}
    assert all(j.reason for j in found.judgements)


@pytest.mark.parametrize("myth", MYTHS)
def test_every_verdict_has_a_meaning(myth):
    assert set(myth.meanings) == {"refuted", "still standing", "open", "aged"}


def run_all(trials, store):
    plan = runner.plan(trials, store, prepared.sha256_of)
    return runner.run(plan, store, device="cpu", hashes=prepared.sha256_of, invocation="test")


def outcome_rows(trial, folder, types):
    store = Store(folder, types)
    assert run_all([trial], store).failed == []
    record = store.finished(trial)
    assert record is not None
    return [{k: v for k, v in row.items() if k not in type(trial).measured} for row in record.rows]


@pytest.mark.parametrize(("myth", "kind"), TRIAL_TYPES)
def test_tiny_trials_repeat_themselves_and_heed_their_seed(myth, kind, tmp_path):
    trial = kind.tiny()
    types = myth.types_by_name
    first = outcome_rows(trial, tmp_path / "first", types)
    assert first, "a trial gives at least one row"
    assert outcome_rows(trial, tmp_path / "second", types) == first
    if "seed" in {f.name for f in dataclasses.fields(kind)}:
        assert outcome_rows(dataclasses.replace(trial, seed=trial.seed + 1), tmp_path / "other", types) != first


@pytest.mark.parametrize("myth", MYTHS)
def test_quick_runs_and_everything_can_be_derived_again(myth, tmp_path):
    run = RunFolder(tmp_path / "cpu-quick")
    run_all(myth.trials("quick", 2, ()), run.store(myth))
    written = []
    for _ in range(2):
        write(derive(myth, RunFolder(run.path)))
        files = sorted(p for p in run.path.rglob("*") if p.suffix in {".csv", ".svg"})
        written.append({str(p): p.read_bytes() for p in files})
    assert written[0] == written[1]
    assert any(name.endswith("claims.csv") for name in written[0])
    results = Results(run.store(myth).records)
    for name, table in myth.tables.items():
        rows = table(results)
        if len(rows):
            assert {"protocol", "dataset", "device"} <= set(rows), f"table {name} does not say how its rows came about"
