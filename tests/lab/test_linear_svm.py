"""The solver against scikit-learn's LinearSVC: the same objective, the same answers."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from myths.lab import linear_svm


def digits(n=600):
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:n]
    x = x[order] - x[order].mean(0)
    return torch.from_numpy(x / np.sqrt((x**2).sum(1).mean())), torch.from_numpy(y[order].astype(np.int64))


def overlapping(n=300):
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=n)
    return torch.from_numpy(rng.normal(size=(n, 40)) + 0.4 * np.eye(3, 40)[y]), torch.from_numpy(y)


@pytest.mark.parametrize("data", [digits, overlapping])
@pytest.mark.parametrize("cost", [0.01, 1.0, 30.0])
def test_it_is_linear_svc(data, cost):
    x, y = data()
    classes = len(y.unique())
    reference = LinearSVC(C=cost, dual=False, tol=1e-8, max_iter=10_000).fit(x.numpy(), y.numpy())
    inputs = torch.nn.functional.pad(x, (0, 1), value=1.0)
    sign = 2.0 * torch.nn.functional.one_hot(y, classes) - 1
    expected = torch.from_numpy(np.vstack([reference.coef_.T, reference.intercept_]))
    found = linear_svm.squared_hinge(inputs, y, classes, cost, tolerance=1e-7)
    objectives = [linear_svm.objective(inputs, sign.double(), w, cost) for w in (found, expected)]
    torch.testing.assert_close(objectives[0], objectives[1], rtol=1e-5, atol=0.0)
    assert (objectives[0] <= objectives[1] * (1 + 1e-7)).all()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert ((inputs @ found).argmax(1).numpy() == reference.predict(x.numpy())).all()


def test_single_precision_and_the_working_tolerance_name_the_same():
    x, y = digits()
    exact = linear_svm.squared_hinge(x, y, 10, 1.0, tolerance=1e-8)
    rough = linear_svm.squared_hinge(x.float(), y, 10, 1.0)
    assert ((x @ exact).argmax(1) == (x.float() @ rough).argmax(1)).double().mean() > 0.99


def test_a_start_changes_the_way_and_not_the_end():
    x, y = digits(200)
    cold = linear_svm.squared_hinge(x, y, 10, 3.0, tolerance=1e-8)
    warm = linear_svm.squared_hinge(x, y, 10, 3.0, start=torch.randn(64, 10, dtype=x.dtype, generator=torch.manual_seed(0)), tolerance=1e-8)
    torch.testing.assert_close(cold, warm, rtol=1e-4, atol=1e-6)


def test_c_is_chosen_on_held_out_training_examples():
    x, y = overlapping(400)
    held_out = torch.arange(len(x)) % 4 == 0
    machine = linear_svm.fit(x, y, 3, held_out, costs=(1e-3, 0.1, 1000.0))
    accuracies = {}
    for cost in (1e-3, 0.1, 1000.0):
        one = linear_svm.fit(x[~held_out], y[~held_out], 3, torch.zeros(300, dtype=torch.bool), costs=(cost,))
        accuracies[cost] = float((one.scores(x[held_out]).argmax(1) == y[held_out]).double().mean())
    assert accuracies[machine.cost] >= max(accuracies.values()) - 0.02


def test_shifting_and_scaling_features_changes_nothing():
    x, y = digits(200)
    held_out = torch.arange(len(x)) % 5 == 0
    one, other = linear_svm.fit(x, y, 10, held_out), linear_svm.fit(7 * x + 3, y, 10, held_out)
    assert one.cost == other.cost
    torch.testing.assert_close(one.scores(x), other.scores(7 * x + 3), rtol=1e-3, atol=1e-3)


def test_one_example_a_class_is_enough_to_fit():
    x, y = torch.eye(3), torch.arange(3)
    machine = linear_svm.fit(x, y, 3, torch.zeros(3, dtype=torch.bool))
    assert machine.scores(x).argmax(1).tolist() == [0, 1, 2]
