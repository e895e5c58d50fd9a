"""Curvature, random parameters and influence functions against independent computations."""

import numpy as np
import pytest
import torch
from torch import nn

from myths.lab.errors import UsageError
from myths.saliency.attributions.influence import fit_last_layer
from myths.saliency.curvature import CurvatureConfig, hessian_vector_product, measure_curvature
from myths.saliency.explained_model import ExplainedModel
from myths.saliency.influence_attack import influences
from myths.saliency.parameter_randomization import cascading_randomization
from myths.saliency.surrogate import softened
from tests.saliency.conftest import lively


def made(beta=0.0, n=6):
    network = softened(lively("resnet8", classes=3, size=8).double(), beta)
    images = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return ExplainedModel(network, images, network(images).argmax(1), tuple(range(n)), torch.full((3, 1, 1), 0.5, dtype=torch.float64))


def test_hessian_vector_product_is_the_full_hessian_vector_product():
    model = made(beta=5.0, n=2)
    direction = torch.randn(model.images.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = hessian_vector_product(model.network, model.images, model.labels, direction)
    for i in range(2):
        full = torch.autograd.functional.hessian(lambda x, i=i: model.network(x[None])[0, model.labels[i]], model.images[i])
        torch.testing.assert_close(found[i], torch.tensordot(full, direction[i], 3))


def test_a_relu_network_has_no_second_derivative():
    model = made()
    assert not hessian_vector_product(model.network, model.images, model.labels, torch.ones_like(model.images)).any()


def test_the_predicted_change_is_the_measured_one_for_small_budgets():
    model = made(beta=3.0)
    rows = measure_curvature(
        model, CurvatureConfig(betas=(2.0, 10.0), surrogate_beta=30.0, epsilons=(0.001, 8.0), k=6), torch.Generator().manual_seed(0)
    )
    assert len(rows) == 2 * 2 * 2
    for row in rows:
        ratio = np.array(row["gradient_change"]) / np.array(row["predicted_change"])
        if row["epsilon"] == 0.001:
            np.testing.assert_allclose(ratio, 1, rtol=0.02)
            assert min(row["intersection"]) > 0.8


def test_the_largest_budget_changes_more_and_smoother_networks_are_less_curved():
    rows = measure_curvature(
        made(), CurvatureConfig(betas=(1.0, 30.0), surrogate_beta=30.0, epsilons=(1.0, 8.0), k=6), torch.Generator().manual_seed(0)
    )

    def mean(column, beta, epsilon):
        chosen = [r for r in rows if (r["beta"], r["epsilon"], r["direction"]) == (beta, epsilon, "top-k attack")]
        return np.mean(np.array(chosen[0][column]) / np.array(chosen[0]["gradient_norm"]))

    assert mean("gradient_change", 30.0, 8.0) > mean("gradient_change", 30.0, 1.0)
    assert mean("predicted_change", 1.0, 1.0) < mean("predicted_change", 30.0, 1.0)


def test_the_cascade_goes_from_the_last_layer_to_the_first_and_leaves_the_network_alone():
    network = lively("resnet8", classes=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.rand(16, 3, 16, 16)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    torch.manual_seed(0)
    seen = []
    for layers, of, randomized in cascading_randomization(network, images):
        again = [m for m in randomized.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        changed = [not torch.equal(a.weight, b.weight) for a, b in zip(convolutions, again, strict=True)]
        assert changed == [False] * (of - layers) + [True] * layers
        assert not randomized.training
        seen.append(layers)
    assert seen[0] == 1
    assert seen[-1] == of == len(convolutions)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


# --- influence functions ----------------------------------------------------------------------------


@pytest.fixture
def layer_case():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    labels = (features[:, 0] + 0.8 * torch.randn(60, generator=generator, dtype=torch.float64) > 0).long()
    tests = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    return features, labels, tests, (tests[:, 0] > 0).long()


def test_the_fit_last_layer_is_scikit_learns(layer_case):
    from sklearn.linear_model import LogisticRegression

    features, labels, tests, _ = layer_case
    layer = fit_last_layer(features, labels, l2=0.05)
    x = np.c_[features.numpy() / layer.scale, np.ones(60)]
    theirs = LogisticRegression(C=1 / (0.05 * 60), fit_intercept=False, tol=1e-12, max_iter=10_000).fit(x, labels)
    np.testing.assert_allclose(layer.weights, theirs.coef_[0], atol=1e-5)
    expected = theirs.decision_function(np.c_[tests.numpy() / layer.scale, np.ones(5)])
    np.testing.assert_allclose(layer.logits(tests), expected, atol=1e-4)


def test_influences_foretell_leaving_one_out(layer_case):
    """The definition: the loss of a test example after training without a training example, less that with it."""
    features, labels, tests, test_labels = layer_case
    layer = fit_last_layer(features, labels, l2=0.05)

    def losses(fitted):
        logits = (
            fitted.logits(tests) if fitted is layer else torch.nn.functional.pad(tests / fitted.scale, (0, 1), value=1.0) @ fitted.weights
        )
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, test_labels.double(), reduction="none")

    left_out = []
    for i in range(60):
        kept = torch.arange(60) != i
        # As many examples and the same penalty a sum: the mean over 59 weighs the penalty 60/59 as much.
        left_out.append(losses(fit_last_layer(features[kept] * 1.0, labels[kept], l2=0.05 * 60 / 59)) - losses(layer))
    actual = 60 * torch.stack(left_out, 1)
    foretold = layer.attribute(tests, test_labels)
    for i in range(5):
        assert np.corrcoef(actual[i], foretold[i])[0, 1] > 0.95
        assert np.polyfit(foretold[i].numpy(), actual[i].numpy(), 1)[0] == pytest.approx(1, abs=0.25)


def test_the_gradient_of_influences_by_the_pixels(layer_case):
    network = lively("resnet8", classes=2, size=8).double()
    images = torch.rand(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    train = torch.rand(40, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    labels = torch.arange(40) % 2
    layer = fit_last_layer(network.features(train), labels)
    found, slopes = influences(network, layer, images, labels[:3], 3)
    step = 1e-6 * torch.randn(images.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    best = found.topk(3, 1).indices

    def helpful(x):
        return layer.attribute(network.features(x), labels[:3]).gather(1, best).sum(1)

    change = (helpful(images + step) - helpful(images - step)) / 2
    torch.testing.assert_close((slopes * step).sum((1, 2, 3)), change, rtol=1e-3, atol=1e-12)


def test_one_class_alone_has_no_influences(layer_case):
    features, labels, _, _ = layer_case
    with pytest.raises(UsageError, match="two classes"):
        fit_last_layer(features, torch.zeros_like(labels))
    with pytest.raises(UsageError, match="l2"):
        fit_last_layer(features, labels, l2=0.0)
