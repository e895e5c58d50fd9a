"""What a removal leaves, pairing, and the paper's settings."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from myths.forgetting import pruning_order
from myths.forgetting.profiles import trials
from myths.forgetting.trials import CountForgetting, PruneNothing, ScoreExamples, TrainPruned
from myths.forgetting.trials.training import DIGITS
from myths.lab.errors import UsageError
from myths.lab.trial import Context

SEEDED = torch.Generator


def outcome_of(trial):
    found = {d.id: outcome_of(d) for d in trial.dependencies}
    return trial.run(Context(trial, "cpu", lambda t: found[t.id]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=40), st.integers(0, 60), st.integers(0, 99), st.integers(0, 999))
def test_what_goes_has_the_lowest_scores_after_the_skipped(scores, removed, skip, seed):
    removed, skip = removed / 100, min(skip, 100 - removed) / 100
    values = torch.tensor(scores)
    order = pruning_order.order_examples("lowest first", len(values), values, SEEDED().manual_seed(seed))
    assert sorted(order.tolist()) == list(range(len(scores)))
    assert values[order].tolist() == sorted(scores)
    stays = pruning_order.kept_indices(order, removed, skip)
    gone = sorted(set(range(len(scores))) - set(stays.tolist()))
    first = round(skip * len(scores))
    assert stays.tolist() == sorted(stays.tolist())
    assert sorted(values[gone].tolist()) == sorted(scores)[first : first + round(removed * len(scores))]


def test_ties_and_shuffles_are_random_and_repeat():
    scores = torch.zeros(200)
    orders = [pruning_order.order_examples("lowest first", 200, scores, SEEDED().manual_seed(seed)).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != list(range(200))
    rising = torch.arange(200)
    shuffled = pruning_order.order_examples("shuffled", 200, rising, SEEDED().manual_seed(0))
    assert sorted(shuffled.tolist()) == list(range(200))
    assert shuffled.tolist() != list(range(200))
    assert pruning_order.order_examples("highest first", 200, rising, SEEDED()).tolist() == list(range(199, -1, -1))


@pytest.mark.parametrize(("removed", "skip"), [(1.0, 0), (1.5, 0), (-0.1, 0), (0.5, 0.6), (0.5, -0.1)])
def test_shares_that_cannot_be_removed(removed, skip):
    with pytest.raises(UsageError, match=r"pruned_fraction|skipped_fraction"):
        pruning_order.kept_indices(torch.arange(10), removed, skip)
    with pytest.raises(UsageError, match=r"pruned_fraction|skipped_fraction"):
        replace(TrainPruned.test_instance(), pruned_fraction=removed, skipped_fraction=skip)


def test_a_removal_that_leaves_next_to_nothing():
    with pytest.raises(UsageError, match="leaves 0 of 100"):
        pruning_order.kept_indices(torch.arange(100), 0.999)


def test_orders_need_their_scores():
    with pytest.raises(UsageError, match="each of the 5"):
        pruning_order.order_examples("lowest first", 5, torch.zeros(4), SEEDED())
    with pytest.raises(UsageError, match="score_trials"):
        TrainPruned(**DIGITS, epochs=1.0, pruning_order="lowest first", pruned_fraction=0.1)
    mixed = replace(
        TrainPruned.test_instance(),
        score_trials=(CountForgetting.test_instance(), replace(ScoreExamples.test_instance(), train_examples=200)),
    )
    with pytest.raises(UsageError, match="use trials of one class"):
        outcome_of(mixed)


def test_removing_nothing_is_plain_training_bit_by_bit():
    (row,) = outcome_of(replace(PruneNothing.test_instance(), network="mnist_cnn_dropout", epochs=2.0)).rows
    assert row["weights"] > 1000
    assert row["weights_that_differ"] == 0
    plain = replace(TrainPruned.test_instance(), score_trials=(), pruning_order="random", pruned_fraction=0.0, epochs=4.0)
    ranked = replace(plain, score_trials=(CountForgetting.test_instance(),), pruning_order="lowest first")
    (a,), (b,) = (outcome_of(t).rows for t in (plain, ranked))
    assert a["test_accuracy_percent"] == b["test_accuracy_percent"]


def test_the_same_updates_whatever_is_removed():
    full = replace(TrainPruned.test_instance(), score_trials=(), pruning_order="random", pruned_fraction=0.0, epochs=4.0)
    steps = {
        same: [outcome_of(replace(full, pruned_fraction=r, match_updates=same)).rows[0]["steps"] for r in (0.0, 0.36)]
        for same in (True, False)
    }
    assert steps[True][0] == steps[True][1] == 28
    assert steps[False] == [28, 16]
    half = outcome_of(replace(full, pruned_fraction=0.5)).rows[0]
    assert half["n_train"] == 100


def test_more_than_one_class_and_example():
    with pytest.raises(UsageError, match="at least two"):
        outcome_of(replace(CountForgetting.test_instance(), train_examples=1))
    few = outcome_of(replace(CountForgetting.test_instance(), train_examples=5))  # fewer than a batch
    assert few.rows[0]["n"] == 5


MNIST = {"batch_size": 64, "learning_rate": 0.01, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0, "schedule": "constant"}
CIFAR = {"batch_size": 128, "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "schedule": "step"}


@pytest.mark.parametrize(
    ("kind", "dataset", "network", "augmentation", "optimizer"),
    [
        (CountForgetting, "mnist", "mnist_cnn", "none", MNIST),
        (TrainPruned, "mnist", "mnist_cnn_dropout", "none", MNIST),
        (CountForgetting, "cifar10", "resnet18", "crop-flip", CIFAR),
        (CountForgetting, "cifar100", "resnet18", "crop-flip", CIFAR),
        (TrainPruned, "cifar10", "resnet18", "crop-flip-cutout", CIFAR),
        (TrainPruned, "cifar10", "wide_resnet_28_10_dropout", "crop-flip-cutout", CIFAR),
        (TrainPruned, "cifar100", "resnet18", "crop-flip-cutout", CIFAR),
    ],
)
def test_paper_trials_have_the_papers_settings(kind, dataset, network, augmentation, optimizer):
    listed = [t for t in trials("paper") if type(t) is kind and t.dataset == dataset and t.network == network and t.protocol == "paper"]
    assert listed
    for trial in listed:
        assert (trial.epochs, trial.augmentation, trial.train_examples) == (200.0, augmentation, 0)
        assert {name: getattr(trial, name) for name in optimizer} == optimizer
        config = trial.train_config("cpu", trial.epochs)
        assert (config.padding_mode, config.milestones, config.decay, config.precision) == ("zero", (0.3, 0.6, 0.8), 0.2, "fp32")
    assert replace(listed[0], epochs=199.0).protocol == "reduced"
    assert replace(listed[0], train_examples=10).protocol == "reduced"


def test_each_seed_permutes_its_own_way_and_all_images_alike():
    plain = replace(CountForgetting.test_instance(), permute_pixels=False)
    sets = [replace(plain, permute_pixels=True, seed=seed).examples(Context(replace(plain, seed=seed))) for seed in (0, 0, 1)]
    original = plain.examples(Context(plain))
    assert torch.equal(sets[0].x, sets[1].x)
    assert not torch.equal(sets[0].x, sets[2].x)
    assert torch.equal(sets[0].x.flatten(1).sort().values, original.x.flatten(1).sort().values)
    moved = [torch.cat([s.x, s.x_test]).flatten(1).float() for s in (sets[0], original)]
    assert torch.equal(moved[0].var(0).sort().values, moved[1].var(0).sort().values)
