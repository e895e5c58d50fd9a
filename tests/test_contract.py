"""What every myth must keep to. A new myth is tested by being in suite.MYTHS."""

import dataclasses
import hashlib
import importlib
import inspect
import itertools
import json
from functools import partial
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from myths import suite
from myths.lab.analysis import analyze
from myths.lab.claim import PROPOSAL, PROPOSED, FirstOf
from myths.lab.data.built_in import BUILT_IN
from myths.lab.data.catalog import CATALOG
from myths.lab.errors import UsageError
from myths.lab.execution import runner, try_trial
from myths.lab.myth import PROFILES
from myths.lab.setting import Rule
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, Store
from myths.lab.trial import Trial, canonical, decode, from_settings

MYTHS = [pytest.param(myth, id=myth.name) for myth in suite.MYTHS]
TRIAL_TYPES = [pytest.param(myth, kind, id=f"{myth.name}-{kind.__name__}") for myth in suite.MYTHS for kind in myth.trial_types]


SAMPLE = 100
"""Number of trials of a profile that are encoded and decoded here."""


def everything(myth, profile):
    return runner.plan(myth.trials(profile, None, ()), Store(suite.LOCAL / "nowhere", myth.types_by_name), lambda name: None).steps


@pytest.mark.parametrize("myth", MYTHS)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_lists_distinct_decodable_trials_of_declared_types(myth, profile):
    listed = myth.trials(profile, None, ())
    assert listed or profile == "overnight", f"{profile} runs nothing"
    assert len({trial.id for trial in listed}) == len(listed)
    steps = everything(myth, profile)
    for step in steps[:: 1 + len(steps) // SAMPLE]:
        assert type(step.trial) in myth.trial_types
        assert decode(json.loads(json.dumps(canonical(step.trial))), myth.types_by_name) == step.trial
        assert set(step.trial.data) <= set(CATALOG) | set(BUILT_IN)
        assert step.trial.relative_cost > 0


@pytest.mark.parametrize("myth", [pytest.param(myth, id=myth.name) for myth in suite.OURS])
def test_a_claim_leads_through_four_files_claims_measures_tables_trials(myth):
    package = f"myths.{myth.folder}"
    own = {kind for kind in all_subclasses(Trial) if kind.__module__.startswith(f"{package}.")}
    assert {kind.__name__ for kind in own if not kind.__module__.startswith(f"{package}.trials")} == set()
    assert myth.claims == tuple(importlib.import_module(f"{package}.claims").CLAIMS)
    assert defined_in(myth.trials) == f"{package}.profiles"
    for part in ("tables", "figures", "pictures"):
        assert {name for name, function in getattr(myth, part).items() if defined_in(function) != f"{package}.{part}"} == set()
    measures = {f"{package}.measures", "myths.lab.measures"}
    assert {claim.id for claim in myth.claims if defined_in(claim.measure) not in measures} == set()


def all_subclasses(kind):
    return {kind}.union(*map(all_subclasses, kind.__subclasses__()))


def defined_in(function):
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function).__module__


@pytest.mark.parametrize("myth", MYTHS)
def test_more_seeds_are_more_trials_and_the_old_ones_stay(myth):
    one, three = ({trial.id for trial in myth.trials("gpu", seeds, ())} for seeds in (1, 3))
    assert one < three


@pytest.mark.parametrize("myth", MYTHS)
def test_quick_needs_no_download(myth):
    assert {name for step in everything(myth, "quick") for name in step.trial.data} <= set(BUILT_IN)


@pytest.mark.parametrize("myth", MYTHS)
def test_claims_are_whole(myth):
    ids = [claim.id for claim in myth.claims]
    assert len(set(ids)) == len(ids)
    assert 1 <= sum(claim.primary for claim in myth.claims) <= 3
    for claim in myth.claims:
        assert claim.source
        assert claim.statement
        assert claim.table in myth.tables
        assert claim.trial in myth.trial_types
        assert claim.criterion.low > -np.inf or claim.criterion.high < np.inf
        assert set(claim.controls) <= set(ids)
        assert claim.calibration is None or claim.calibration in ids
        assert claim.superseded_by is None or (claim.primary and claim.superseded_by in set(ids) - {claim.id})
        assert not (claim.primary and claim.paper_value_source == "from memory, unverified")


@pytest.mark.parametrize("myth", MYTHS)
def test_a_claim_compares_the_datasets_that_it_names_or_uses_the_first_and_pools_none(myth):
    for claim in myth.claims:
        named = claim.where.get("dataset")
        if isinstance(named, tuple) and len(named) > 1 and not isinstance(named, FirstOf):
            compared = str(getattr(claim.measure, "args", ()))
            assert all(name in compared for name in named), claim.id


@pytest.mark.parametrize("myth", MYTHS)
def test_the_origin_of_a_number_agrees_with_its_source(myth):
    """A secondary source is named as one, and a proposal of the suite has no number of a paper."""
    for claim in myth.claims:
        if claim.paper_value_source in ("read", "secondary source"):
            assert ("secondary source" in claim.source) == (claim.paper_value_source == "secondary source"), claim.id
        if claim.source == PROPOSAL:
            assert PROPOSED.items() <= vars(claim).items(), claim.id


@pytest.mark.parametrize("myth", MYTHS)
def test_claims_are_data_and_measures_stand_in_two_files(myth):
    """A reader finds a claim's number behind four files: claims, measures, tables, trials. What several myths measure is the lab's."""
    for claim in myth.claims:
        measure = claim.measure
        while isinstance(measure, partial):
            measure = measure.func
        assert measure.__module__ in (f"myths.{myth.folder}.measures", "myths.lab.measures"), claim.id


@pytest.mark.parametrize("myth", MYTHS)
def test_tables_without_results_are_empty_and_claims_untested(myth, tmp_path):
    found = analyze(myth, RunFolder(tmp_path / "run"))
    assert all(len(table) == 0 for table in found.tables.values())
    assert {str(j.verdict) for j in found.claim_results if j.claim.kind != "control"} == {"not tested"}
    assert {str(j.verdict) for j in found.claim_results if j.claim.kind == "control"} <= {"not run"}
    assert all(j.reason for j in found.claim_results)


@pytest.mark.parametrize("myth", MYTHS)
def test_a_run_with_one_result_of_the_first_class_knows_the_columns_of_every_claim(myth):
    """A budget may end a run anywhere: what claims select by is there, or the table has no rows."""
    records = RunFolder(suite.PUBLISHED / "cpu-laptop").store(myth).records
    for claim in {claim.trial: claim for claim in myth.claims}.values() if myth.name == "saliency" else myth.claims[:1]:
        results = Results([record for record in records if isinstance(record.trial, claim.trial)][:1])
        tables = {name: table(results) for name, table in myth.tables.items()}
        assert [each.rows(tables) is not None for each in myth.claims]


@pytest.mark.parametrize("myth", MYTHS)
def test_both_outcomes_have_a_meaning(myth):
    assert set(myth.verdict_texts) == {"refuted", "standing"}


@pytest.mark.parametrize(("myth", "kind"), TRIAL_TYPES)
def test_every_setting_says_what_it_means_and_which_values_it_takes(myth, kind):
    hints = get_type_hints(kind, include_extras=True)
    for name in (f.name for f in dataclasses.fields(kind)):
        assert loose(hints[name]) == [], f"{kind.__name__}.{name} has no range: annotate it with a rule of lab/setting.py"
    _, listed = try_trial.describe_settings(myth, kind.__name__)
    assert [line["setting"] for line in listed if not line["meaning"]] == []


def loose(hint, ruled=False):
    """The types in a hint that take any number or any text."""
    if get_origin(hint) is Literal:
        return []
    if get_origin(hint) is Annotated:
        return loose(hint.__origin__, any(isinstance(part, Rule) for part in hint.__metadata__))
    if get_args(hint):
        return [found for part in get_args(hint) for found in loose(part)]
    return [hint.__name__] if hint in (int, float, str) and not ruled else []


ODD = (
    None, True, "true", -1, "-1", 0, -0.5, 1.5, 2**63, 1e300, float("nan"), float("inf"), "nan", "-inf", "1e999", "", " ", "../x", "a/b",
    "\udcff", "x" * 5000, [], [-1], [float("nan")], {}, b"1", object(),
)  # fmt: skip


@pytest.mark.parametrize(("myth", "kind"), TRIAL_TYPES)
def test_an_odd_value_is_refused_before_anything_runs_or_is_one_that_the_field_declares(myth, kind):
    hints, fields = get_type_hints(kind, include_extras=True), [f.name for f in dataclasses.fields(kind)]
    given = {name: getattr(kind.test_instance(), name) for name in fields}
    refused = []
    for name, value in itertools.product(fields, ODD):
        try:
            made = from_settings(kind, given | {name: value})
        except UsageError as error:
            refused.append((name, str(error)))
            continue
        assert declared(getattr(made, name), hints[name]), f"{kind.__name__} took {name}={value!r}"
        assert decode(json.loads(json.dumps(canonical(made), allow_nan=False)), myth.types_by_name) == made
        assert made.relative_cost >= 0
        assert str(made)
    assert {name for name, _ in refused} == set(fields), "no field takes everything"
    assert [said for _, said in refused if not any(field in said for field in fields) or not said.isprintable()] == []


def declared(value, hint):
    """Whether a value is of a type and within its rules, by a reading of its own."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return declared(value, arguments[0]) and all(part.accepts(value) for part in arguments[1:] if isinstance(part, Rule))
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        items = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        return len(items) == len(value) and all(map(declared, value, items))
    if origin in (Union, UnionType):
        return any(declared(value, argument) for argument in arguments)
    return type(value) is hint and (hint is not float or np.isfinite(value))


@pytest.mark.parametrize("myth", MYTHS)
def test_ids_are_hashes_of_the_canonical_json(myth):
    trials = [kind.test_instance() for kind in myth.trial_types] + [step.trial for step in everything(myth, "gpu")]
    for trial in trials:
        text = json.dumps(canonical(trial), sort_keys=True)
        assert trial.id == hashlib.sha256(text.encode()).hexdigest()[:12], trial
        assert [d.id for d in trial.dependencies] == [d.id for d in found_in(trial)]


def found_in(trial):
    """The trials in the fields, looked for in every value."""
    values = [getattr(trial, f.name) for f in dataclasses.fields(trial)]
    return [v for value in values for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Trial)]
