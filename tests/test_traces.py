"""Every published number, and every row of a published table, names exactly the trials that it comes from."""

import csv
import dataclasses
import io
import math
import random

import pytest

from myths import suite
from myths.lab.tables import TRIALS
from tests.chosen import H200, LAPTOP, idle, lines, measured, named, number, records, table

RUNS = [pytest.param(run, count, id=run.name) for run, count in ((LAPTOP, 150), (H200, 10))]
HELD = [(run, myth) for run in (LAPTOP, H200) for myth in suite.OURS if run.has_results(myth)]
MYTHS = [pytest.param(run, myth, id=f"{run.name}-{myth.name}") for run, myth in HELD]
DROPPED = 25
"""Named trials that are dropped here, one at a time; benchmarks/test_selection.py drops every one."""
ROWS = 2
"""Rows of each table that are made again here."""
MAIN_COLUMNS = {"main_setting", "largest", "transfer"}
"""Columns that mark the main rows of a run or their group. Their values depend on all rows, not only on the source trials."""

SHOWN_BESIDE_OTHERS = {"sensitivity"}
"""Tables that show a row only where the run has others to put beside it: of learning rates, three or more."""


def tables(run, myth):
    """The published tables of a myth, by name."""
    return {name: lines(run, myth, name) for name in myth.tables if (run.path / myth.folder / f"{name}.csv").exists()}


@pytest.mark.parametrize(("run", "myth"), MYTHS)
def test_every_row_of_every_published_table_names_trials_of_its_run(run, myth):
    stored = records(myth, run).keys()
    for name, rows in tables(run, myth).items():
        for place, row in enumerate(rows):
            ids = row[TRIALS].split()
            assert ids, (name, place)
            assert ids == sorted(set(ids)), (name, place)
            assert stored >= set(ids), (name, place)


@pytest.mark.parametrize(("run", "myth"), MYTHS)
def test_a_published_claim_names_trials_of_its_run_if_it_has_a_number(run, myth):
    stored = records(myth, run).keys()
    for claim in lines(run, myth, "claims"):
        ids = claim[TRIALS].split()
        assert bool(ids) == bool(claim["estimate"]), claim["claim"]
        assert len(ids) == len(set(ids)), claim["claim"]
        assert stored >= set(ids), claim["claim"]


@pytest.mark.parametrize(("run", "count"), RUNS)
def test_every_published_number_comes_from_the_trials_that_it_names_alone(run, count):
    found = list(measured(run))
    assert len(found) > count
    for myth, claim, published in found:
        assert number(myth, claim, named(myth, claim, run), run) == pytest.approx(published, rel=1e-9, abs=1e-9), claim.id


def test_a_named_trial_that_is_dropped_is_missed():
    """The number is another then, or the rows that it is measured on are."""
    cases = [(run, myth, claim, each) for run in (LAPTOP, H200) for myth, claim, _ in measured(run) for each in named(myth, claim, run)]
    for run, myth, claim, identity in random.Random(0).sample(sorted(cases, key=lambda case: (case[2].id, case[3])), DROPPED):
        assert not idle(myth, claim, identity, named(myth, claim, run), run), (claim.id, identity)


@pytest.mark.parametrize(("run", "myth"), MYTHS)
def test_a_row_is_made_again_of_the_trials_that_it_names_alone(run, myth):
    for name, rows in ((name, rows) for name, rows in tables(run, myth).items() if name not in SHOWN_BESIDE_OTHERS):
        for row in random.Random(0).sample(rows, min(ROWS, len(rows))):
            assert made_again(row, as_csv(table(myth, name, frozenset(row[TRIALS].split()), run))), (name, row)


MEDIANS = {"crossover"}
"""Tables of a median or a first place, which stay where most of the trials that they come from say the same."""


@pytest.mark.parametrize(("run", "myth"), MYTHS)
def test_a_row_is_another_if_one_of_its_trials_is_dropped(run, myth):
    for name, rows in ((name, rows) for name, rows in tables(run, myth).items() if name not in SHOWN_BESIDE_OTHERS | MEDIANS):
        several = [row for row in rows if " " in row[TRIALS]]
        for row in random.Random(0).sample(several, min(ROWS, len(several))):
            ids = row[TRIALS].split()
            kept = frozenset(ids) - {random.Random(row[TRIALS]).choice(ids)}
            numbers = {column: cell for column, cell in row.items() if column != TRIALS}
            assert not made_again(numbers, as_csv(table(myth, name, kept, run))), (name, row)


def as_csv(found):
    return list(csv.DictReader(io.StringIO(found.to_csv(index=False, float_format="%.10g"))))


def made_again(row, others):
    wanted = {column: cell for column, cell in row.items() if cell and column not in MAIN_COLUMNS}
    return any(all(same(cell, other.get(column, "")) for column, cell in wanted.items()) for other in others)


def same(one, other):
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return one == other


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.MYTHS])
def test_no_setting_of_a_trial_has_the_name_of_the_column(myth):
    for kind in myth.trial_types:
        assert TRIALS not in {field.name for field in dataclasses.fields(kind)}, kind
