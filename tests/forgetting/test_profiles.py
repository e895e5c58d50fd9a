"""What the profiles run: the whole ``gpu`` profile rehearsed on tiny data, its claims measured, and mixtures kept apart."""

import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from myths.forgetting import MYTH, measures, tables
from myths.forgetting.profiles import trials
from myths.forgetting.trials import CorrelateCounts, CountForgetting, CountUnforgettable, TrainPruned
from myths.forgetting.trials.training import TrainingTrial
from myths.lab.analysis import analyze, write
from myths.lab.data import prepared
from myths.lab.errors import UsageError
from myths.lab.execution import runner
from myths.lab.storage.run_folder import RunFolder
from myths.lab.storage.store import Results, TrialRecord
from myths.lab.trial import Trial

EPOCHS = {30.0: 1.0, 16.0: 3.0, 10.0: 1.0, 3.0: 1.0}
NETWORKS = {"fast": "fast_narrow", "resnet18": "resnet8", "resnet20": "resnet8"}


def tiny(trial):
    """The same trial, and those that it depends on, with few epochs, small networks and small batches."""
    changed = {
        f.name: tuple(tiny(t) for t in value)
        for f in dataclasses.fields(trial)
        if isinstance(value := getattr(trial, f.name), tuple) and value and isinstance(value[0], Trial)
    }
    if isinstance(trial, TrainingTrial):
        changed |= {
            "epochs": EPOCHS.get(trial.epochs, trial.epochs),
            "network": NETWORKS.get(trial.network, trial.network),
            "batch_size": 16,
            "precision": "fp32",
        }
    return dataclasses.replace(trial, **changed)


def save_tiny_sets():
    rng = np.random.default_rng(0)
    for name, classes, shape in (("cifar10", 10, (16, 16, 3)), ("cifar100", 100, (16, 16, 3)), ("mnist", 10, (16, 16))):
        labels = {split: (np.arange(n) % classes).astype(np.uint8) for split, n in (("train", 60), ("test", 40))}
        arrays = {f"y_{split}": y for split, y in labels.items()}
        for split, y in labels.items():
            noise = rng.integers(0, 80, size=(len(y), *shape))
            arrays[f"x_{split}"] = (noise + 17 * (y % 10).reshape(-1, *[1] * len(shape))).astype(np.uint8)
        prepared.save(name, arrays, source="test", note="tiny")


def datasets_of(claim):
    named = claim.where.get("dataset", ())
    return {named} if isinstance(named, str) else set(named)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """The gpu profile, every trial of it, run on tiny data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYTHS_DATA", str(tmp_path_factory.mktemp("data")))
        save_tiny_sets()
        run = RunFolder(tmp_path_factory.mktemp("runs") / "rehearsal")
        store = run.store(MYTH)
        plan = runner.plan([tiny(t) for t in trials("gpu")], store, prepared.sha256_of)
        done = runner.run(plan, store, runner.Invocation("cpu", prepared.sha256_of, "test"))
        assert done.failed == []
        found = analyze(MYTH, run)
        write(found)
        yield found


def test_the_gpu_profile_measures_every_claim_that_it_is_to_decide(rehearsed):
    measured = {j.claim.id for j in rehearsed.claim_results if j.estimate is not None}
    open_in_gpu = {c.id for c in MYTH.claims if c.id.startswith("F1-calibration")}
    open_in_gpu |= {c.id for c in MYTH.claims if {"cifar10", "cifar10 subset"}.isdisjoint(datasets_of(c))}
    open_in_gpu |= {c.id for c in MYTH.claims if c.id.startswith("F1-order") or c.where.get("transfer")}
    open_in_gpu |= {"F3-ordered-35", "F5", "F5-u"}  # points of Figs. 5 and 6 that only the profile "paper" has
    open_in_gpu |= {c.id for c in MYTH.claims if "scarce" in c.id}  # minutes on a CPU
    open_in_gpu -= {"F0-nothing"}
    # Tiny data may leave a correlation without a value, never a difference of accuracies.
    needed = {c.id for c in MYTH.claims if c.table in ("pruning", "prune_nothing", "unforgettable", "counts") and "spearman" not in c.unit}
    correlations = {"F2b", "F2c-margin", "F2c-margin-level", "F2c-first-learnt", "F2c-first-learnt-level"}
    assert needed - correlations - open_in_gpu <= measured
    assert not open_in_gpu & measured
    pairs = {j.claim.id: j.estimate.n for j in rehearsed.claim_results if j.primary}
    assert pairs == {"F3-ordered-30": 12, "F3-vs-random-30": 12}
    assert {str(j.verdict) for j in rehearsed.claim_results if j.claim.kind == "absolute"} == {"not tested"}
    assert next(j.estimate.value for j in rehearsed.claim_results if j.claim.id == "F0-nothing") == 0


def test_the_gpu_profile_draws_all_figures_and_pictures(rehearsed):
    folder = rehearsed.run.path / "forgetting"
    assert {p.stem for p in (folder / "figures").iterdir()} == set(MYTH.figures) - {"sliding_window"}
    assert (folder / "pictures" / "least_and_most_forgotten.png").read_bytes()[:4] == b"\x89PNG"
    assert all(name in rehearsed.tables["histogram"]["dataset"].unique() for name in ("cifar10",))


def test_joint_counts_hold_every_example_once_and_give_the_counts_of_each_training(rehearsed):
    joint, histogram = rehearsed.tables["joint_counts"], rehearsed.tables["histogram"]
    joint = joint[joint["dataset"] == "cifar10"]
    for seed, column in enumerate(("first_count", "second_count")):
        counted = histogram[(histogram["dataset"] == "cifar10") & (histogram["seed"] == seed) & histogram["main_setting"]]
        counted = counted.set_index("count")["examples"]
        assert joint.groupby(column)["examples"].sum().to_dict() == counted[counted > 0].to_dict()


def test_losses_are_paired_by_seed_with_the_training_from_which_nothing_went(rehearsed):
    table = rehearsed.tables["pruning"]
    table = table[(table["dataset"] == "cifar10") & ~table["transfer"]]
    accuracy = table.set_index(["pruning_order", "pruned_percent", "skipped_percent", "seed"])["test_accuracy_percent"]
    chosen = table[(table["pruning_order"] == tables.LEAST_FORGOTTEN) & (table["pruned_percent"] == 30)]
    assert len(chosen) == 24  # two rankings
    for row in chosen.to_dict("records"):
        assert row["loss_pp"] == pytest.approx(accuracy["random", 0.0, 0.0, row["seed"]] - row["test_accuracy_percent"])
        assert row["above_random_pp"] == pytest.approx(row["test_accuracy_percent"] - accuracy["random", 30.0, 0.0, row["seed"]])


def test_budget_in_the_docstring_is_the_profile(tmp_path):
    from myths.forgetting import profiles

    plan = runner.plan(trials("gpu"), RunFolder(tmp_path).store(MYTH), lambda name: None).in_state("pending")
    trained = Counter((type(t).__name__, t.network, t.epochs) for t in plan if isinstance(t, TrainingTrial))
    said = " ".join(profiles._gpu.__doc__.split())
    assert trained["CountForgetting", "fast", 16.0] == 22
    assert "22 counting runs of 16 epochs" in said
    assert trained["TrainPruned", "fast", 10.0] == 104
    assert "104 training runs of 10" in said
    assert {network for _, network, _ in trained} == {"fast"}


@pytest.mark.parametrize("profile", ["quick", "laptop", "gpu", "paper"])
def test_baselines_are_there_for_every_removal(profile):
    kept = [t for t in trials(profile) if isinstance(t, TrainPruned)]
    baselines = {(t.dataset, t.permute_pixels, t.network, t.epochs, t.seed) for t in kept if t.pruned_fraction == 0}
    assert {(t.dataset, t.permute_pixels, t.network, t.epochs, t.seed) for t in kept} == baselines


@pytest.mark.parametrize("profile", ["laptop", "overnight", "gpu", "paper"])
def test_every_seed_is_pruned_by_two_rankings_where_the_control_asks_for_them(profile):
    planned = trials(profile)
    for claim in MYTH.claims:
        if claim.id not in ("F0-rankings-30", "F0-rankings-mnist", "F0-rankings-permuted"):
            continue
        rankings = {}
        for trial in planned:
            if claim.selects(trial) and trial.pruned_fraction:
                rankings.setdefault(trial.seed, set()).add(tuple(score.seed for score in trial.score_trials))
        assert all(len(found) == 2 for found in rankings.values()), claim.id
        assert len(rankings) >= 3 or not rankings or profile == "laptop", claim.id
    assert profile == "laptop" or any(c.id == "F0-rankings-30" and any(map(c.selects, planned)) for c in MYTH.claims)


def test_sets_pruned_by_a_score_of_another_paper_belong_to_the_setting_of_their_baseline():
    planned = [t for t in trials("paper") if isinstance(t, TrainPruned) and t.dataset == "cifar10"]
    records = [TrialRecord(t, "ok", rows=[{"test_accuracy_percent": 95.0, "n_test": 10_000}]) for t in planned]
    table = tables.pruning(Results(records))
    by_score = table[table["pruning_order"].str.contains("EL2N|GraND")]
    assert len(by_score) >= 15
    assert by_score["main_setting"].all()
    assert set(by_score["protocol"]) == {"reduced"}
    assert set(table[table["main_setting"] & (table["pruned_percent"] == 0)]["protocol"]) == {"paper"}


def test_unforgettable_examples_are_compared_in_runs_of_equal_length_on_whole_sets():
    def rows(**fewer):
        more = {"dataset": "a", "seed": [0, 1, 2], "unforgettable_percent": [80.0, 81.0, 82.0], "epochs": 6.0, "train_examples": 0}
        less = more | {"dataset": "b", "unforgettable_percent": [30.0, 32.0, 31.0]} | fewer
        return pd.concat([pd.DataFrame(more), pd.DataFrame(less)])

    assert measures.unforgettable_difference("a", "b", rows()).value == pytest.approx(50)
    assert measures.unforgettable_difference("a", "b", rows(epochs=12.0)) is None
    assert measures.unforgettable_difference("a", "b", rows(train_examples=10_000)) is None


def test_bad_numbers_of_seeds():
    with pytest.raises(UsageError, match="at least 1"):
        trials("quick", 0)


def rows_of(kind, rows, **settings):
    trial = dataclasses.replace(kind.test_instance(), **settings)
    return TrialRecord(trial, "ok", rows=rows)


def test_claims_never_mix_settings_of_one_data_set():
    from myths.forgetting.trials import CountForgetting

    def counted(unforgettable):
        return [{"kind": "summary", "n": 100, "unforgettable": unforgettable, "never_learned": 0}]

    real = {"dataset": "cifar10", "label_noise": 0.0, "train_examples": 0}
    records = [rows_of(CountForgetting, counted(30), **real, network="fast", epochs=16.0, seed=s) for s in range(3)]
    records.append(rows_of(CountForgetting, counted(90), **real, network="fast", epochs=64.0))
    records += [rows_of(CountForgetting, counted(80), **real, network="mnist_cnn", epochs=16.0, seed=s) for s in range(3)]
    records.append(rows_of(CountForgetting, counted(99), label_noise=0.0))
    table = tables.counts(Results(records))
    speaks = table[table["main_setting"]]
    assert set(speaks["unforgettable"]) == {30}
    assert len(speaks) == 3


def test_figures_without_rows_are_none():
    empty = {name: table(Results([])) for name, table in MYTH.tables.items()}
    assert [figure(empty) for figure in MYTH.figures.values()] == [None] * len(MYTH.figures)


@pytest.mark.parametrize("seeds", [1, 2, 7])
def test_the_number_of_seeds_holds_for_own_data(seeds):
    listed = trials("quick", seeds, ("digits",))  # built in, so that no file is needed
    assert sorted(t.seed for t in listed if isinstance(t, CountForgetting)) == list(range(seeds))
    assert all(len(t.count_trials) == seeds for t in listed if isinstance(t, CountUnforgettable))
    assert sum(isinstance(t, CorrelateCounts) for t in listed) == (seeds > 1)
