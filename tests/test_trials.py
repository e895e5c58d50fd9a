"""Every trial class, run with few data: the same rows again, also where only published arrays are at hand, and others with another seed."""

import dataclasses

import numpy as np
import pytest

from myths import suite
from myths.lab.storage import published_arrays
from myths.lab.storage.store import Store
from tests.running import run_all

TRIAL_TYPES = [pytest.param(myth, kind, id=f"{myth.name}-{kind.__name__}") for myth in suite.MYTHS for kind in myth.trial_types]


def outcome_rows(trial, folder, types, continued=False):
    store = Store(folder, types)
    if continued:  # elsewhere, where of its dependencies only what is published is at hand
        run_all(trial.dependencies, store)
        for record in store.records:
            if names := published_arrays.names(record):
                arrays = store.outcome(record).arrays
                np.savez(folder / "arrays" / f"{record.trial.id}.npz", **{name: arrays[name] for name in names})
    run_all([trial], store)
    record = store.finished(trial)
    assert record is not None
    return [{k: v for k, v in row.items() if k not in type(trial).nondeterministic_columns} for row in record.rows]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Where trials are stored that several tests need: what one depends on may have run for another."""
    return tmp_path_factory.mktemp("once")


@pytest.mark.parametrize(("myth", "kind"), TRIAL_TYPES)
def test_tiny_trials_repeat_themselves_also_from_published_arrays_and_heed_their_seed(myth, kind, once, tmp_path):
    trial = kind.test_instance()
    types = myth.types_by_name
    first = outcome_rows(trial, once / myth.folder, types)
    assert first, "a trial gives at least one row"
    assert outcome_rows(trial, tmp_path / "again", types, continued=True) == first
    if "seed" in {f.name for f in dataclasses.fields(kind)}:
        assert outcome_rows(dataclasses.replace(trial, seed=trial.seed + 1), once / myth.folder, types) != first
