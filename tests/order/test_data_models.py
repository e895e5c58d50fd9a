"""Trees, categories and image orders against enumerations, NumPy and loops."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from myths.lab.errors import UsageError
from myths.lab.trial import Context, Outcome
from myths.order import coherence, hierarchy, image_order
from myths.order.trials import CompareOrders, FindCategory, LearnTree, ThinSuperclass, TrackImages
from myths.order.trials.trees import _Outputs


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_singular_values_of_levels_are_those_of_the_exact_covariance(depth):
    flip, items = 0.15, 2**depth
    covariance = np.zeros((items, items))
    for i, j in itertools.product(range(items), repeat=2):
        apart = (i ^ j).bit_length()  # edges from a leaf up to the common ancestor
        covariance[i, j] = (1 - 2 * flip) ** (2 * apart)
    expected = hierarchy.expected_singular_values(depth, flip)
    rows, levels = hierarchy.contrasts(depth)
    assert rows @ rows.T == pytest.approx(np.eye(items), abs=1e-12)
    for row, level in zip(rows, levels, strict=True):
        assert covariance @ row == pytest.approx(expected[level] ** 2 * row)
    assert sorted(expected, reverse=True) == expected


def test_branching_diffusion_has_that_covariance():
    table = hierarchy.branching_diffusion(2, 40_000, 0.1, np.random.default_rng(0))
    found = table @ table.T / 40_000
    assert found[0, [1, 2, 3]] == pytest.approx([0.8**2, 0.8**4, 0.8**4], abs=0.02)
    assert set(np.unique(table)) == {-1.0, 1.0}


def test_repeated_leaf_distinctions_raise_the_last_level_only():
    table = hierarchy.branching_diffusion(3, 30, 0.2, np.random.default_rng(1))
    rows, levels = hierarchy.contrasts(3)
    before, after = (np.linalg.norm(rows @ each, axis=1) for each in (table, hierarchy.repeat_leaf_distinctions(table, 8)))
    assert after[levels < 3] == pytest.approx(before[levels < 3])
    assert after[levels == 3] == pytest.approx(3 * before[levels == 3])


def test_without_depth_no_output_moves_the_wrong_way():
    def worst(network):
        trial = LearnTree(depth=3, properties=30, draws=3, network=network, step=0.05)
        return [row["wrong_way_percent"] for row in trial.run(Context(trial)).rows if row["kind"] == "tree"]

    assert max(worst("shallow")) < 1e-3
    assert min(worst("linear")) > 5


def test_an_illusion_is_the_output_that_contradicts_its_branch_most():
    target = torch.tensor([[[1.0, 1.0, 1.0, -1.0], [1.0, 1.0, 1.0, 1.0]]])
    outputs = _Outputs(target, torch.tensor([[[0.5] * 4, [1.0] * 4]]))
    for last in (0.0, 0.4, -0.2, -1.0):
        outputs(torch.tensor([[[0.0, 0.0, -0.9, last], [-0.9] * 4]]))  # outputs that agree with their branch may go wherever they want
    assert outputs.most_contradicting == pytest.approx([0.0, -0.4, 0.2, 1.0])
    assert outputs.wrong_way_percent() == pytest.approx([40])


def test_an_illusion_needs_depth():
    def output(network):
        trial = LearnTree(depth=3, properties=30, draws=2, network=network, step=0.05, duration=40.0)
        return [row["output"] for row in trial.run(Context(trial)).rows if row["kind"] == "illusion"]

    deep, shallow = output("linear"), output("shallow")
    assert min(deep) < -0.2
    assert min(shallow) > -1e-3
    assert [deep[-1], shallow[-1]] == pytest.approx([1, 1], abs=0.05)


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_the_first_mode_is_that_of_a_singular_value_decomposition(shape):
    block = coherence.Block(*shape, 8, 9)
    table = coherence.draw(block, 2.0, 0.5, "gaussian", 1, np.random.default_rng(3))
    left, values, right = np.linalg.svd(table[0].astype(float))
    ((objects, properties, value),) = coherence.first_mode(table, block, "cpu")
    assert value == pytest.approx(values[0])
    assert objects == pytest.approx(left[:8, 0].sum() ** 2 / 8)
    assert properties == pytest.approx(right[0, :9].sum() ** 2 / 9)


def test_the_curve_begins_at_the_threshold_and_has_the_edge_of_noise_below():
    block = coherence.Block(400, 1600, 50, 200)
    assert coherence.overlap_curve(1.0, 0.25) == (0.0, 0.0)
    assert coherence.overlap_curve(2.0, 0.25) == pytest.approx((0.6, 0.375))
    assert coherence.overlap_curve(1e6, 0.25) == pytest.approx((1, 1), abs=1e-5)
    assert coherence.singular_value_curve(0.5, block) == pytest.approx(60)
    assert coherence.singular_value_curve(1 + 1e-9, block) == pytest.approx(60)
    assert coherence.coherence(coherence.Block(400, 1600, 40, 1), 0.9, 0.1) == pytest.approx(0.3556, abs=1e-4)


def test_noise_has_unit_variance_and_the_category_its_mean():
    block = coherence.Block(100, 200, 30, 40)
    for noise in ("gaussian", "bernoulli"):
        (table,) = coherence.draw(block, 0.5, 0.3, noise, 1, np.random.default_rng(4))
        assert table[30:].std() == pytest.approx(1, abs=0.03)
        assert table[:30, :40].mean() == pytest.approx(0.5, abs=0.1)
        assert table[30:].mean() == pytest.approx(0, abs=0.03)


def test_a_category_that_needs_a_probability_above_one_is_refused():
    with pytest.raises(UsageError, match=r"would need the probability 1\.5"):
        FindCategory(coherence=9.0, noise="bernoulli", category_objects=10, category_properties=180)


# --- image orders ------------------------------------------------------------------------------------


def test_grouped_accuracy_adds_probabilities():
    rng = np.random.default_rng(5)
    probabilities, labels = rng.dirichlet(np.ones(6), 50), rng.integers(0, 6, 50)
    groupings = [np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 2, 2])]
    for grouping, found in zip(groupings, image_order.grouped_accuracy(probabilities, labels, groupings), strict=True):
        right = 0
        for row, label in zip(probabilities, labels, strict=True):
            sums = [sum(row[c] for c in range(6) if grouping[c] == group) for group in range(3)]
            right += sums.index(max(sums)) == grouping[label]
        assert found == right / 50


def test_random_groupings_have_the_sizes_but_are_not_the_given_one():
    grouping = np.array([0, 0, 1, 1])
    drawn = image_order.random_groupings(grouping, 50, np.random.default_rng(6))
    assert all(sorted(each) == [0, 0, 1, 1] for each in drawn)
    assert all(each[0] != each[1] for each in drawn)


def test_guessing_by_frequency_has_a_kappa_of_zero():
    labels = np.array([0] * 6 + [1] * 4)
    assert image_order.chance_corrected(0.6**2 + 0.4**2, labels) == pytest.approx(0)
    assert image_order.chance_corrected(1.0, labels) == 1


def test_checkpoints_of_equal_accuracy_compare_a_fast_with_a_slow_network():
    n = 100
    order = np.arange(n)
    fast = np.array([order < k for k in (10, 60, 90, 100)])
    slow = np.array([order < k for k in (5, 10, 20, 30, 40, 50, 60, 70, 80, 90)])
    one, other = image_order.at_equal_accuracy(fast, slow, 5)
    wanted = np.linspace(0.1, 0.9, 5)
    assert (one.mean(1) >= wanted - 1e-9).all()
    assert (other.mean(1) >= wanted - 1e-9).all()
    assert other.mean(1) == pytest.approx(wanted, abs=0.1)
    assert image_order.rank_correlation(one.mean(0), other.mean(0)) > 0.8
    assert image_order.rank_correlation(np.ones(3), np.arange(3.0)) is None


def test_a_comparison_is_of_the_same_images():
    one = TrackImages.test_instance()
    with pytest.raises(UsageError, match="the same images"):
        CompareOrders(first=(one,), second=(TrackImages(dataset="cifar100"),))


def test_checkpoints_are_distinct_and_end_with_training():
    steps = image_order.checkpoint_steps(1000, 30)
    assert steps[0] == 10
    assert steps[-1] == 1000
    assert steps == sorted(set(steps))
    assert image_order.checkpoint_steps(3, 30) == [1, 2, 3]


def test_groups_are_ordered_by_the_mean_of_their_images():
    means = image_order.group_means(np.array([0.0, 1.0, 0.5, 0.5, 0.9]), np.array([0, 0, 1, 1, 2]))
    assert means == pytest.approx([0.5, 0.5, 0.9])
    assert [image_order.fraction_before(means, group) for group in range(3)] == [0.75, 0.75, 0.0]  # a tie counts half


def test_thinning_trains_without_nine_tenths_of_the_superclass_that_others_learn_first():
    one = TrackImages(dataset="digits", network="mnist_cnn", epochs=1.0, checkpoints=5, groupings=1)
    trial = ThinSuperclass(network=one, others=(replace(one, seed=1), replace(one, seed=2)))
    _, y, _, y_test, grouping = one.examples(Context(trial))
    round_digits = grouping[y_test.numpy()] == 0
    correct = {0: np.zeros((5, len(y_test)), bool), 1: np.tile(round_digits, (5, 1)), 2: np.zeros((5, len(y_test)), bool)}

    def outcomes(network):
        return Outcome(rows=[], arrays={"correct": np.packbits(correct[network.seed], axis=1), "images": np.array(len(y_test))})

    rows = trial.run(Context(trial, outcomes=outcomes)).rows
    (thinned,) = (row for row in rows if row["kind"] == "thinned")
    members = int((grouping[y.numpy()] == 0).sum())
    assert thinned["superclass"] == 0
    assert thinned["kept_images"] == round(0.1 * members)
    assert thinned["n_train"] == len(y) - members + thinned["kept_images"]
    assert thinned["before_all_images"] == 0.5  # neither superclass is learned in the stored outcome of seed 0
    assert [row["is_thinned"] for row in rows if row["kind"] == "superclass"] == [True, False]


def test_a_network_may_not_choose_the_superclass_that_it_loses():
    one = TrackImages.test_instance()
    with pytest.raises(UsageError, match="the network itself"):
        ThinSuperclass(network=one, others=(one,))
    with pytest.raises(UsageError, match="the same test images"):
        ThinSuperclass(network=one, others=(replace(one, seed=1, followed="train"),))


def test_shuffled_labels_are_the_same_for_all_seeds_and_differ_by_label_seed():
    def labels(**changed):
        trial = TrackImages(dataset="digits", network="mnist_cnn", train_examples=100, labels="shuffled", **changed)
        return trial.examples(Context(trial))[1].tolist()

    assert labels(seed=0) == labels(seed=1)
    assert labels() != labels(label_seed=1)
    assert sorted(labels()) == sorted(labels(label_seed=1))
