"""Average precision against scikit-learn, drops by closed forms, the additive fit against least squares, the test of home by counting."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score
from sklearn.svm import LinearSVC

from myths.dataset_bias import published
from myths.dataset_bias.average_precision import Labeled, average_precision, cross_set_ap, mean_average_precision, negative_set_ap
from myths.dataset_bias.domain_gap import (
    drop_by_set,
    drop_of_means,
    in_domain_advantage,
    in_domain_test,
    mean_others_ap,
    percent_drop,
    self_ap,
)

matrices = st.integers(3, 7).flatmap(lambda k: hnp.arrays(np.float64, (k, k), elements=st.floats(0.01, 1)))


@given(st.data())
def test_average_precision_is_that_of_sklearn(data):
    """Few distinct scores, so that ties are the rule."""
    n = data.draw(st.integers(1, 30))
    scores = data.draw(hnp.arrays(np.float64, (3, n), elements=st.integers(-3, 3).map(float)))
    positive = data.draw(hnp.arrays(bool, (3, n)))
    positive[:, data.draw(st.integers(0, n - 1))] = True
    weights = data.draw(hnp.arrays(np.float64, (3, n), elements=st.floats(0.1, 5)))
    plain = average_precision(torch.tensor(scores), torch.tensor(positive))
    weighted = average_precision(torch.tensor(scores), torch.tensor(positive), torch.tensor(weights))
    for k in range(3):
        assert float(plain[k]) == pytest.approx(average_precision_score(positive[k], scores[k]), abs=1e-12)
        assert float(weighted[k]) == pytest.approx(average_precision_score(positive[k], scores[k], sample_weight=weights[k]), abs=1e-12)


def test_average_precision_in_a_large_batch_of_single_precision():
    rng = np.random.default_rng(0)
    scores, positive = rng.normal(size=(2, 5, 4000)).astype(np.float32), rng.random((2, 5, 4000)) < 0.1
    ours = average_precision(torch.tensor(scores), torch.tensor(positive))
    theirs = [[average_precision_score(p, s) for p, s in zip(*pair, strict=True)] for pair in zip(positive, scores, strict=True)]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_a_weight_of_zero_is_an_absent_example():
    rng = np.random.default_rng(1)
    scores, positive, kept = torch.tensor(rng.normal(size=50)), torch.tensor(rng.random(50) < 0.3), torch.tensor(rng.random(50) < 0.5)
    ours = average_precision(scores, positive, kept.double())
    assert float(ours) == pytest.approx(float(average_precision(scores[kept], positive[kept])), abs=1e-12)


def test_average_precision_refuses_what_has_no_answer():
    with pytest.raises(ValueError, match="positive"):
        average_precision(torch.rand(2, 4), torch.tensor([[True, False, False, False], [False] * 4]))
    with pytest.raises(ValueError, match="must not be NaN"):
        average_precision(torch.tensor([0.1, float("nan")]), torch.tensor([True, False]))


def test_mean_over_classes_is_the_macro_mean_of_sklearn():
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(200, 4)), rng.integers(4, size=200)
    one_hot = labels[:, None] == np.arange(4)
    ours = mean_average_precision(torch.tensor(scores), torch.tensor(labels))
    assert ours == pytest.approx(average_precision_score(one_hot, scores, average="macro"), abs=1e-12)
    one = mean_average_precision(torch.tensor(scores), torch.tensor(labels), classes=[2])
    assert one == pytest.approx(average_precision_score(one_hot[:, 2], scores[:, 2]), abs=1e-12)


def gaussian_set(rng, shift, n=120, classes=3, dimensions=6):
    """Classes apart along the first axes; the data set moves and turns them."""
    labels = torch.tensor(rng.permutation(np.arange(n) % classes))
    features = torch.tensor(rng.normal(size=(n, dimensions)))
    features[torch.arange(n), labels] += 2.0
    return Labeled(features + shift * torch.roll(torch.nn.functional.one_hot(labels, dimensions).double(), 1, 1), labels)


def nearest_mean(x, y):
    means = torch.stack([x[y == c].mean(0) for c in y.unique()])
    return lambda z: -torch.cdist(z, means)


def test_every_classifier_meets_every_test_set():
    rng = np.random.default_rng(3)
    train, test = ([gaussian_set(rng, s) for s in (-2, 0, 2)] for _ in range(2))
    ap = cross_set_ap(train, test, nearest_mean)
    for i, a in enumerate(train):
        for j, b in enumerate(test):
            scores = nearest_mean(a.features, a.labels)(b.features)
            assert ap[i, j] == pytest.approx(average_precision_score(np.eye(3)[b.labels], scores.numpy(), average="macro"), abs=1e-12)
    assert (self_ap(ap) > mean_others_ap(ap)).all()
    assert cross_set_ap(train, test, nearest_mean, classes=[1]).shape == (3, 3)


def test_any_classifier_will_do():
    def svm(x, y):
        model = LinearSVC(C=0.1, random_state=0).fit(x.numpy(), y.numpy())
        return lambda z: torch.tensor(model.decision_function(z.numpy()))

    rng = np.random.default_rng(4)
    sets = [gaussian_set(rng, s) for s in (0, 3)]
    assert (cross_set_ap(sets, sets, svm) > 1 / 3).all()


def test_a_test_set_without_one_of_the_classes_is_refused():
    rng = np.random.default_rng(5)
    whole = gaussian_set(rng, 0)
    part = Labeled(whole.features[whole.labels < 2], whole.labels[whole.labels < 2])
    with pytest.raises(ValueError, match="positive"):
        cross_set_ap([whole], [part], nearest_mean)


def detector(x, y):
    """Difference of the class means."""
    direction = x[y == 1].mean(0) - x[y == 0].mean(0)
    return lambda z: torch.stack([-z @ direction, z @ direction], 1)


def detection_set(rng, place, positives=40, negatives=80):
    """Objects lie up the first axis for every set; a set's own background lies along an axis of its own."""
    y = torch.tensor([1] * positives + [0] * negatives)
    x = torch.tensor(rng.normal(size=(len(y), 5)))
    x[y == 1, 0] += 1.5
    x[y == 0, 1 + place] += 2.5
    x[y == 1, 1 + place] -= 2.5
    return Labeled(x, y)


def test_negatives_of_all_sets_are_those_of_the_definition():
    """Against sklearn on the pooled test set, and larger negatives sets count no more than small ones."""
    rng = np.random.default_rng(6)
    train = [detection_set(rng, k) for k in range(3)]
    test = [detection_set(rng, k, negatives=n) for k, n in enumerate((40, 80, 160))]
    ap = negative_set_ap(train, test, detector)
    for k in range(3):
        scorer, own = detector(train[k].features, train[k].labels), test[k]
        assert ap[k, 0] == pytest.approx(average_precision_score(own.labels, scorer(own.features)[:, 1]), abs=1e-12)
        negatives = [s.features[s.labels == 0] for s in test]
        size = len(negatives[k])
        x = torch.cat([own.features[own.labels == 1], *negatives])
        y = [1] * 40 + [0] * (len(x) - 40)
        w = [1.0] * 40 + [size / 3 / len(n) for n in negatives for _ in n]
        assert ap[k, 1] == pytest.approx(average_precision_score(y, scorer(x)[:, 1], sample_weight=w), abs=1e-12)
    assert (ap[:, 0] > ap[:, 1]).all()  # a detector that learned its own background


def test_the_same_negatives_everywhere_make_no_difference():
    rng = np.random.default_rng(7)
    one = detection_set(rng, 0)
    ap = negative_set_ap([one] * 3, [one] * 3, detector)
    np.testing.assert_allclose(ap[:, 0], ap[:, 1], atol=1e-12)


def test_a_set_without_negatives_is_refused():
    one = detection_set(np.random.default_rng(8), 0)
    cars_only = Labeled(one.features[one.labels == 1], one.labels[one.labels == 1])
    with pytest.raises(ValueError, match="negatives"):
        negative_set_ap([one, one], [one, cars_only], detector)


def test_drops_of_the_papers_first_task():
    table = published.cross_set()[0]
    np.testing.assert_allclose(self_ap(table.ap), table.own)
    np.testing.assert_allclose(mean_others_ap(table.ap), table.others, atol=0.1)
    np.testing.assert_allclose(drop_by_set(table.ap), table.drop, atol=1)
    assert drop_of_means(table.ap) == pytest.approx(48.5, abs=0.05)


@given(matrices)
def test_splits_are_leading_axes(ap):
    stack = np.stack([ap, ap.T, ap**2])
    for statistic in (self_ap, mean_others_ap, drop_by_set, drop_of_means, in_domain_advantage):
        np.testing.assert_allclose(statistic(stack), [statistic(a) for a in stack])
    np.testing.assert_allclose(percent_drop(self_ap(ap), self_ap(ap)), 0)


@given(matrices)
def test_home_advantage_is_the_residual_of_a_least_squares_fit(ap):
    k = len(ap)
    row, column = np.nonzero(~np.eye(k, dtype=bool))
    design = np.hstack([np.eye(k)[row], np.eye(k)[column]])
    effects = np.linalg.lstsq(design, ap[row, column], rcond=None)[0]
    np.testing.assert_allclose(in_domain_advantage(ap), self_ap(ap) - effects[:k] - effects[k:], atol=1e-9)
    assert in_domain_advantage(ap).mean() == pytest.approx((self_ap(ap) - mean_others_ap(ap)).mean(), abs=1e-9)


@given(matrices, st.floats(-1, 1))
def test_home_advantage_sees_neither_rows_nor_columns(ap, bonus):
    k = len(ap)
    row, column = np.linspace(-3, 1, k), np.geomspace(1, 5, k)
    moved = ap + row[:, None] + column + bonus * np.eye(k)
    np.testing.assert_allclose(in_domain_advantage(moved), in_domain_advantage(ap) + bonus, atol=1e-9)


def test_an_easy_test_set_is_no_home():
    """The drop of a set whose test images are easy is large though nothing ties it to its home; the fit is not fooled."""
    ap = np.full((4, 4), 30.0)
    ap[:, 3] = 90.0
    assert drop_by_set(ap)[3] > 60
    np.testing.assert_allclose(in_domain_advantage(ap), 0, atol=1e-9)
    test = in_domain_test(ap, np.random.default_rng(0))
    assert test.p_value == 1.0


def test_home_of_the_paper():
    """In all four tasks no other of the 720 ways to deal out the homes does as well: also for persons, where two drops are negative."""
    for table in published.cross_set():
        test = in_domain_test(table.ap, np.random.default_rng(0))
        assert (test.permutations, test.exact, test.p_value) == (720, True, pytest.approx(1 / 720))
        assert test.advantage == pytest.approx(table.mean_own - table.mean_others, abs=0.15)


def test_p_value_by_hand():
    """Three sets, six permutations, traces 12, 9, 9, 9, 3, 12 (of 6 x 3 = 54 in all): two reach the diagonal's 12."""
    ap = np.array([[5.0, 4, 0], [4.0, 3, 2], [0.0, 2, 4]])
    traces = [5 + 3 + 4, 5 + 2 + 2, 4 + 4 + 4, 4 + 2 + 0, 0 + 4 + 2, 0 + 3 + 0]
    test = in_domain_test(ap, np.random.default_rng(0))
    assert test.p_value == sum(t >= 12 for t in traces) / 6
    assert in_domain_test(np.eye(3), np.random.default_rng(0)).p_value == pytest.approx(1 / 6)


def test_p_values_are_uniform_when_there_is_no_home():
    rng = np.random.default_rng(9)
    p = np.array([in_domain_test(rng.random((5, 5)), rng).p_value for _ in range(400)])
    assert np.mean(p <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.08)


def test_sampled_permutations_agree_with_all_of_them():
    """Nine sets are sampled: a home advantage among eight that the last does not share has the exact p-value nearby."""
    rng = np.random.default_rng(10)
    ap = rng.random((9, 9)) + 0.25 * np.eye(9)
    test = in_domain_test(ap, np.random.default_rng(1), samples=20_000)
    assert (test.permutations, test.exact) == (20_001, False)
    again = in_domain_test(ap, np.random.default_rng(2), samples=40_000)
    assert test.p_value == pytest.approx(again.p_value, abs=4 * math.sqrt(again.p_value / 20_000) + 1e-4)
    strong = in_domain_test(rng.random((9, 9)) + 5 * np.eye(9), rng, samples=999)
    assert strong.p_value == 1 / 1000


def test_splits_are_averaged_before_the_permutation():
    ap = np.random.default_rng(11).random((6, 4, 4))
    assert in_domain_test(ap, np.random.default_rng(0)) == in_domain_test(ap.mean(0), np.random.default_rng(0))


def test_too_few_sets_are_refused():
    with pytest.raises(ValueError, match="three datasets"):
        in_domain_advantage(np.ones((2, 2)))
    with pytest.raises(ValueError, match="two datasets"):
        in_domain_test(np.ones((1, 1)), np.random.default_rng(0))
