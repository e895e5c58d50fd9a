"""The parts of fast94 against independent oracles: whitening, orthogonalized updates, alternating flips, views; and that it learns."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from myths.lab.trial import Context
from myths.lab.vision.augmentation import AlternatingFlips, augment
from myths.lab.vision.classifier import FAST94, TrainClassifier
from myths.lab.vision.muon import COEFFICIENTS, Muon, make_muon, orthogonalize
from myths.lab.vision.networks import build
from myths.lab.vision.training import Hooks, TrainConfig, accuracy, average_views, fit, lr_factor, predict
from tests.lab.vision.test_training import stripes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- whitening --------------------------------------------------------------------------------------


def test_the_first_layer_whitens_patches_as_an_eigendecomposition_does():
    """Against numpy's singular value decomposition of the centered patches, one patch at a time."""
    coarse = torch.rand(40, 3, 4, 4, generator=generator())
    x = (nn.functional.interpolate(coarse, size=12, mode="bilinear") * 255).to(torch.uint8)
    network = build("fast94", 10, 3, 12)
    network.calibrate(x)
    images = network.standardize(x.float() / 255)
    patches = torch.stack([images[:, :, r : r + 2, c : c + 2].flatten(1) for r in range(11) for c in range(11)]).flatten(0, 1).double()
    centered = patches - patches.mean(0)
    _, singular, directions = torch.linalg.svd(centered, full_matrices=False)
    variances = singular.square() / (len(patches) - 1)
    filters = network.whiten.weight.detach().flatten(1).double()
    assert torch.equal(filters[:12], -filters[12:])
    # eigh sorts from small to large; the sign of a direction is free.
    expected = (directions / (variances + 5e-4).sqrt()[:, None]).flip(0)
    signs = (filters[:12] * expected).sum(1).sign()[:, None]
    torch.testing.assert_close(filters[:12] * signs, expected, rtol=1e-3, atol=1e-3)
    responses = centered @ filters[:12].T
    shrunk = variances.flip(0) / (variances.flip(0) + 5e-4)
    torch.testing.assert_close(responses.T.cov(), shrunk.diag(), rtol=1e-3, atol=1e-4)
    assert not network.whiten.weight.requires_grad
    assert network.whiten.bias.requires_grad


# --- orthogonalized updates -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (8, 8), (1, 6)])
@pytest.mark.parametrize("iterations", [1, 3, 5])
def test_orthogonalization_changes_singular_values_only_and_as_its_polynomial_says(shape, iterations):
    matrix = torch.randn(shape, generator=generator(), dtype=torch.float64)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    linear, cubic, quintic = COEFFICIENTS
    expected = values / values.norm()
    for _ in range(iterations):
        expected = linear * expected + cubic * expected**3 + quintic * expected**5
    found = orthogonalize(matrix, iterations)
    torch.testing.assert_close(found, u @ expected.diag() @ v, rtol=1e-5, atol=1e-5)


def test_singular_values_come_near_one():
    u, _ = torch.linalg.qr(torch.randn(30, 20, generator=generator()))
    v, _ = torch.linalg.qr(torch.randn(20, 20, generator=generator(1)))
    values = torch.linspace(0.05, 1, 20) * 7
    found = torch.linalg.svdvals(orthogonalize(u @ values.diag() @ v))
    assert 0.5 < float(found.min()) <= float(found.max()) < 1.3
    assert torch.equal(orthogonalize(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_muon_moves_filters_by_its_rate_and_all_else_as_sgd():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten(), nn.LazyLinear(4))
    x, y = torch.randn(5, 3, 6, 6), torch.tensor([0, 1, 2, 3, 0])
    network(x)
    plain = copy.deepcopy(network)
    muon = make_muon(network, batch_size=5, learning_rate=0.1, momentum=0.8, weight_decay=1e-3)
    rates = {id(p): group["lr"] for group in muon.param_groups for p in group["params"]}
    assert rates[id(network[2].weight)] == pytest.approx(0.1 * 5 * 0.67 / 0.24)
    assert rates[id(network[0].bias)] == rates[id(network[2].bias)] == pytest.approx(0.1 * 5 * 0.053 / 0.24)
    others = [
        {"params": [p], "lr": rates[id(q)], "weight_decay": 1e-3 / rates[id(q)]}
        for p, q in zip(plain.parameters(), network.parameters(), strict=True)
        if p.ndim < 4
    ]
    sgd = torch.optim.SGD(others, momentum=0.8, nesterov=True)
    momentum = torch.zeros(6, 27)
    for _ in range(3):
        gradients = []
        for made, optimizer in ((network, muon), (plain, sgd)):
            loss = nn.functional.cross_entropy(made(x), y)
            optimizer.zero_grad()
            loss.backward()
            gradients.append(made[0].weight.grad.flatten(1).clone())
            optimizer.step()
        # The filters by hand: a constant norm, and a step of the orthogonalized Nesterov momentum.
        momentum = 0.6 * momentum + gradients[1]
        with torch.no_grad():
            before = plain[0].weight.flatten(1)
            expected = before * (6**0.5 / before.norm()) - 0.1 * orthogonalize(gradients[1] + 0.6 * momentum)
            plain[0].weight.copy_(expected.view_as(plain[0].weight))
        for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_parameters_without_a_gradient_and_frozen_ones_stay():
    network = build("fast94", 4, 3, 8)
    muon = make_muon(network, batch_size=8, learning_rate=0.1, momentum=0.8, weight_decay=0.0)
    assert isinstance(muon, Muon)
    assert all(p is not network.whiten.weight for group in muon.param_groups for p in group["params"])
    before = copy.deepcopy(network.state_dict())
    muon.step()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# --- alternating flips and views --------------------------------------------------------------------


def test_an_example_is_flipped_every_other_epoch_and_half_of_them_first():
    x = torch.randint(0, 256, (400, 1, 8, 8), generator=generator()).to(torch.uint8)
    flips = AlternatingFlips(400, generator(1), x)
    indices = torch.randperm(400, generator=generator(2))[:150]
    epochs = [flips.of(indices, torch.tensor(epoch)) for epoch in range(4)]
    assert torch.equal(epochs[0], ~epochs[1])
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[1], epochs[3])
    assert 150 < int(flips.of(torch.arange(400), torch.tensor(0)).sum()) < 250


def test_the_training_loop_shows_each_image_and_its_mirror_image_in_two_epochs(monkeypatch):
    from myths.lab.vision import augmentation

    monkeypatch.setattr(augmentation, "random_crop", lambda x, padding, padding_mode, generator: x)
    x, y = stripes(40)
    seen = []
    config = TrainConfig(epochs=4.0, batch_size=16, augmentation="shift-alternating-flip", learning_rate=0.01)
    hooks = Hooks(on_batch=lambda batch: seen.append((batch.indices, batch.inputs)))
    fit(build("small_cnn", 2, 3, 8), x, y, config, order=generator(), augmentation=generator(1), device="cpu", hooks=hooks)
    shown = torch.empty(4, *x.shape)
    for i, (indices, inputs) in enumerate(seen):
        shown[i // 3][indices] = inputs
    pixels = x.float() / 255
    as_is = (shown == pixels).flatten(2).all(2)
    mirrored = (shown == pixels.flip(-1)).flatten(2).all(2)
    assert (as_is ^ mirrored).all()
    assert torch.equal(as_is[0], mirrored[1])
    assert torch.equal(as_is[0], as_is[2])
    assert 5 < int(as_is[0].sum()) < 35


def test_shifts_are_half_as_wide_as_those_of_crops():
    x = torch.zeros(300, 1, 32, 32, dtype=torch.uint8)
    x[:, :, 16, 16] = 255
    moved = augment(x, "shift-alternating-flip", "reflect", torch.zeros(1), generator(), torch.zeros(300, dtype=torch.bool))
    rows, columns = (moved[:, 0].amax(axis).argmax(1) - 16 for axis in (2, 1))
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}


def test_six_views_are_a_weighted_mean_of_shifted_and_mirrored_images():
    pixels = torch.rand(2, 1, 5, 5, generator=generator())
    weights = torch.rand(25, 3, generator=generator(1))
    network = lambda x: x.flatten(1) @ weights  # noqa: E731
    expected = torch.zeros(2, 3)
    padded = nn.functional.pad(pixels, (1, 1, 1, 1), mode="reflect")
    for shift, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)):
        view = padded[:, :, 1 + shift : 6 + shift, 1 + shift : 6 + shift]
        expected += weight * (network(view) + network(view.flip(-1))) / 2
    torch.testing.assert_close(average_views(network, pixels), expected)


# --- the whole --------------------------------------------------------------------------------------


def test_it_learns():
    x, y = stripes(240, size=16)
    torch.manual_seed(0)
    network = build("fast94", 2, 3, 16)
    network.calibrate(x)
    trial = TrainClassifier(**{**FAST94, "batch_size": 40, "epochs": 3.0, "precision": "fp32"})
    config = replace(trial.train_config("cpu"), batch_size=40)
    assert (config.optimizer, config.schedule, config.label_smoothing) == ("muon", "linear", 0.2)
    done = fit(network, x, y, config, order=generator(), augmentation=generator(1), device="cpu")
    assert done.steps == 18
    test, labels = stripes(100, seed=1, size=16)
    for views in ("single", "six"):
        assert accuracy(predict(network, test, device="cpu", views=views), labels) > 0.9
    norms = [float(p.detach().norm()) / len(p) ** 0.5 for p in network.parameters() if p.requires_grad and p.ndim == 4]
    assert norms == pytest.approx([1.0] * len(norms), rel=0.2)


def test_its_rate_falls_to_zero():
    config = TrainConfig(epochs=1.0, schedule="linear")
    assert [lr_factor(config, step, 4) for step in range(4)] == [1, 0.75, 0.5, 0.25]


def test_it_is_a_trial_with_any_seed():
    trial = TrainClassifier(**FAST94, seed=3)
    assert trial.protocol == "reduced"
    assert Context(trial).seed("order") != Context(replace(trial, seed=4)).seed("order")
