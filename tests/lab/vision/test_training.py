"""The loop: what a hook sees, schedules, precision, divergence, determinism; and prediction."""

import copy

import pytest
import torch
from torch import nn

from myths.lab.vision.networks import build
from myths.lab.vision.training import Hooks, TrainConfig, TrainResult, accuracy, fit, lr_factor, make_optimizer, predict

NOTHING = Hooks()


def stripes(n=240, seed=0, size=8):
    """Horizontal or vertical stripes with noise: two classes that a convolution tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (n,), generator=generator)
    wave = (torch.arange(size) % 2 * 120).repeat(size, 1)
    x = torch.where(labels[:, None, None].bool(), wave, wave.T)[:, None]
    noise = torch.randint(0, 130, (n, 3, size, size), generator=generator)
    return (x + noise).to(torch.uint8), labels


def train(config, *, seed=0, hooks=NOTHING, network=None, n=240) -> tuple[nn.Module, TrainResult]:
    x, y = stripes(n)
    if network is None:
        torch.manual_seed(seed)
        network = build("small_cnn", 2, 3, 8)
    generators = {"order": torch.Generator().manual_seed(seed), "augmentation": torch.Generator().manual_seed(seed)}
    return network, fit(network, x, y, config, device="cpu", hooks=hooks, **generators)


@pytest.mark.parametrize(("n", "batch_size", "per_epoch"), [(240, 32, 8), (240, 64, 4), (65, 32, 2), (65, 500, 1), (2, 1, 1)])
def test_the_hook_sees_each_example_once_per_epoch(n, batch_size, per_epoch):
    seen = []
    x, y = stripes(n)
    config = TrainConfig(epochs=2.0, batch_size=batch_size, augmentation="none")
    _, done = train(config, hooks=Hooks(on_batch=seen.append), n=n)
    assert done.steps == 2 * per_epoch
    assert done.examples == 2 * n
    first, second = (torch.cat([b.indices for b in epoch]) for epoch in (seen[:per_epoch], seen[per_epoch:]))
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(n))
    assert n < 10 or not torch.equal(first, second)
    batch = seen[-1]
    assert torch.equal(batch.labels, y[batch.indices])
    assert torch.equal(batch.inputs, x[batch.indices].float() / 255)
    assert not batch.logits.requires_grad
    torch.testing.assert_close(batch.losses, nn.functional.cross_entropy(batch.logits, batch.labels, reduction="none"))
    assert done.losses.tolist() == [float(b.losses.mean()) for b in seen]
    assert done.loss == pytest.approx(float(done.losses[per_epoch:].mean()))


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 4), (1.25, 10), (0.001, 1)])
def test_epochs_may_be_fractions(epochs, steps):
    assert train(TrainConfig(epochs=epochs, batch_size=32))[1].steps == steps


def test_hooks_come_after_the_forward_pass_and_before_the_update():
    network = build("small_cnn", 2, 3, 8)
    before = copy.deepcopy(network.state_dict())
    weights, numbers = [], []

    def note(number):
        weights.append(network.head.weight.clone())
        numbers.append((number, int(network.norms[0].num_batches_tracked)))

    hooks = Hooks(on_batch=lambda batch: weights.append(network.head.weight.clone()), before_update=note)
    train(TrainConfig(epochs=2.0, batch_size=240), network=network, hooks=hooks)
    assert all(torch.equal(found, before["head.weight"]) for found in weights[:2])
    assert not torch.equal(weights[2], before["head.weight"])
    assert numbers == [(0, 1), (1, 2)]


def test_one_cycle_is_torchs_triangle():
    total = 400
    config = TrainConfig(epochs=1.0, schedule="one-cycle")
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1, total, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False, div_factor=1e9
    )
    for step in range(total):
        assert lr_factor(config, step, total) == pytest.approx(cycle.get_last_lr()[0], abs=2 / (0.25 * total))
        optimizer.step()
        if step < total - 1:
            cycle.step()
    assert 0 < lr_factor(config, total - 1, total) < 1 / total
    assert max(lr_factor(config, step, total) for step in range(total)) == pytest.approx(1, abs=4 / total)
    assert lr_factor(config, 0, 1) > 0


def test_steps_are_torchs_milestones():
    config = TrainConfig(epochs=1.0, schedule="step", milestones=(0.3, 0.6, 0.8), decay=0.2)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1)
    steps = torch.optim.lr_scheduler.MultiStepLR(optimizer, [60, 120, 160], 0.2)
    for step in range(200):
        assert lr_factor(config, step, 200) == pytest.approx(steps.get_last_lr()[0])
        optimizer.step()
        steps.step()
    assert lr_factor(TrainConfig(epochs=1.0, schedule="constant"), 199, 200) == 1


def test_the_optimizer_leaves_frozen_filters_alone():
    network = build("fast_narrow", 2, 3, 8)
    (group,) = make_optimizer(network, TrainConfig(epochs=1.0, learning_rate=0.5, weight_decay=0.01)).param_groups
    assert (group["lr"], group["weight_decay"], group["nesterov"]) == (0.5, 0.01, True)
    assert all(p is not network.whiten.weight for p in group["params"])
    before = network.whiten.weight.clone()
    train(TrainConfig(epochs=1.0, momentum=0.0), network=network)
    assert torch.equal(network.whiten.weight, before)


@pytest.mark.parametrize(("momentum", "nesterov", "expected"), [(0.9, True, True), (0.5, False, False), (0.0, True, False)])
def test_momentum_is_nesterovs_unless_the_recipe_says_otherwise(momentum, nesterov, expected):
    config = TrainConfig(epochs=1.0, momentum=momentum, nesterov=nesterov)
    (group,) = make_optimizer(build("small_cnn", 2, 3, 8), config).param_groups
    assert (group["momentum"], group["nesterov"]) == (momentum, expected)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("network", ["small_cnn", "resnet8", "fast_narrow", "wide_resnet_10_2"])
def test_learns_what_can_be_learned(network, optimizer):
    torch.manual_seed(0)
    net = build(network, 2, 3, 8)
    net.calibrate(stripes()[0])
    rates = {"sgd": 0.05, "adamw": 0.003}
    config = TrainConfig(epochs=6.0, batch_size=32, optimizer=optimizer, learning_rate=rates[optimizer], augmentation="flip")
    _, done = train(config, network=net)
    x, y = stripes(200, seed=1)
    assert accuracy(predict(net, x, device="cpu"), y) > 0.9
    assert done.loss < 0.5
    assert done.diverged_at is None


def test_same_generators_same_weights():
    config = TrainConfig(epochs=1.0, batch_size=32, augmentation="crop-flip-cutout")
    one, two, other = (train(config, seed=seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_bf16_is_close_to_fp32():
    losses = {p: train(TrainConfig(epochs=2.0, batch_size=32, precision=p, learning_rate=0.02))[1].loss for p in ("fp32", "bf16")}
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.1)
    network, _ = train(TrainConfig(epochs=1.0, batch_size=32))
    x, _ = stripes(50, seed=3)
    exact, rounded = (predict(network, x, device="cpu", precision=p) for p in ("fp32", "bf16"))
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().max() < 0.03 * exact.abs().max()


def test_label_smoothing_and_shuffling_reach_the_loss():
    plain, smooth = (train(TrainConfig(epochs=1.0, label_smoothing=s, learning_rate=0.0))[1].loss for s in (0.0, 0.5))
    assert plain != smooth


def test_divergence_is_a_fact_and_ends_the_epoch():
    network, done = train(TrainConfig(epochs=5.0, batch_size=32, learning_rate=1e30))
    assert done.diverged_at is not None
    assert done.diverged_at < 8
    assert done.steps == 8
    x, y = stripes(20)
    assert accuracy(predict(network, x, device="cpu"), y) == 0


def test_predict_in_chunks():
    network, _ = train(TrainConfig(epochs=1.0, batch_size=32))
    network.train()
    x, _ = stripes(50, seed=2)
    whole = predict(network, x, device="cpu", batch=50)
    assert network.training
    torch.testing.assert_close(predict(network, x, device="cpu", batch=7), whole)


def test_predict_survives_a_batch_that_does_not_fit():
    class Hungry(nn.Module):
        def forward(self, x):
            if len(x) > 6:
                raise torch.OutOfMemoryError
            return x.flatten(1)[:, :2]

    x, _ = stripes(20)
    assert torch.equal(predict(Hungry(), x, device="cpu", batch=20), x.flatten(1)[:, :2].float() / 255)
