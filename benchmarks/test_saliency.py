"""Speed of attacks and attributions of myth 7.

- Attacked images per second: in a batch, versus image by image as in the authors' code.
- Attributions per second, versus captum.
- Second derivatives: with the default internal batch size versus larger ones, and with the suite's softplus versus torch's.

The methods of a pair are interleaved in one test. ``extra_info`` holds both speeds and their ratio. Their results must agree.
"""

import itertools
from dataclasses import replace

import pytest
import torch

from myths.lab.measurement.device import select_device
from myths.lab.measurement.timing import compare_timings
from myths.lab.vision.networks import build
from myths.saliency.attacks import AttackConfig, perturb
from myths.saliency.attacks.objectives import attack_objective
from myths.saliency.attributions import default_internal_batch_size, make_attribution
from myths.saliency.names import Schedule
from myths.saliency.surrogate import softened

captum = pytest.importorskip("captum.attr")

DEVICE = select_device("auto")
GPU = DEVICE != "cpu"
IMAGES = 512 if GPU else 16
STEPS = 50 if GPU else 8
INTERNAL_BATCH_SIZE = 25_600 if GPU else 128
ATTACKED = 64 if GPU else 8
SCHEDULE = Schedule(n_iterations=10 if GPU else 3, step_size=1.0, eval_interval=5, share_trajectory=True)
EPSILONS = (1.0, 2.0, 4.0, 8.0)


class Modules(torch.nn.Module):
    """Network whose convolutions and ReLUs are modules, as captum's DeepLIFT requires."""

    def __init__(self):
        super().__init__()
        widths = (3, 16, 32, 64)
        layers = [torch.nn.Sequential(torch.nn.Conv2d(a, b, 3, 2, 1), torch.nn.ReLU()) for a, b in itertools.pairwise(widths)]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(64 * 16, 10))

    def forward(self, x):
        """Return logits."""
        return self.layers(x)


def case(n):
    torch.manual_seed(0)
    network = build("resnet8", 10, 3, 32).to(DEVICE).eval().requires_grad_(False)
    images = torch.rand(n, 3, 32, 32, device=DEVICE)
    return network, images, network(images).argmax(1), torch.full((3, 1, 1), 0.5, device=DEVICE)


def timed(benchmark, methods, group, unit):
    """Time all methods, interleaved. pytest-benchmark shows the first, ``extra_info`` all."""
    found = compare_timings(methods, DEVICE, repeats=5, warmup=1, budget_seconds=20.0)
    first, second = methods
    seconds = {name: timing.median for name, timing in found.timings.items()}
    benchmark.group = group
    benchmark.extra_info |= {f"{name}_per_second": unit / s for name, s in seconds.items()}
    benchmark.extra_info |= {"ratio": found.ratio(second, first), "torch": torch.__version__, "device": DEVICE}
    benchmark.pedantic(methods[first], rounds=3)
    print(
        f"\n{group}: " + ", ".join(f"{name} {unit / s:.1f}/s" for name, s in seconds.items()) + f"; {found.ratio(second, first):.2f} times"
    )
    return found


@pytest.mark.parametrize("method", ["gradient", "deeplift", "integrated-gradients"])
def test_attacked_images_per_second(benchmark, method):
    network, images, labels, baseline = case(ATTACKED)
    how = replace(make_attribution(method, baseline, n_steps=STEPS), internal_batch_size=INTERNAL_BATCH_SIZE)

    def attacked(x, y):
        top = AttackConfig(attack="top-k", attack_attribution=how, eval_attribution=how, epsilons=EPSILONS, k=100, schedule=SCHEDULE)
        return perturb(top, network, x, y, torch.Generator(DEVICE).manual_seed(0))[8.0]

    def one_at_a_time():
        return torch.cat([attacked(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))])

    timed(benchmark, {"batched": lambda: attacked(images, labels), "one at a time": one_at_a_time}, f"attack on {method}", len(images))


@pytest.mark.parametrize("method", ["gradient", "integrated-gradients", "deeplift", "grad-cam"])
def test_attributions_per_second_versus_captum(benchmark, method):
    network, images, labels, baseline = case(IMAGES)
    network = Modules().to(DEVICE).requires_grad_(False) if method == "deeplift" else network
    baselines = baseline.expand_as(images)
    how = replace(make_attribution(method, baseline, output="logit", n_steps=STEPS), internal_batch_size=INTERNAL_BATCH_SIZE)

    def suite():
        return how.attribute(network, images, labels)

    def with_captum():
        x = images.clone().requires_grad_()
        if method == "gradient":
            found = captum.Saliency(network).attribute(x, labels, abs=False)
        elif method == "integrated-gradients":
            found = captum.IntegratedGradients(network).attribute(
                x, baselines, labels, n_steps=STEPS, method="riemann_middle", internal_batch_size=INTERNAL_BATCH_SIZE
            )
        elif method == "deeplift":
            found = captum.DeepLift(network).attribute(x, baselines, labels)
        else:
            layer = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)][-1]
            coarse = captum.LayerGradCam(network, layer).attribute(x, labels, relu_attributions=True)
            found = captum.LayerAttribution.interpolate(coarse, (32, 32), "bilinear")
        return found.detach()

    found = timed(benchmark, {"suite": suite, "captum": with_captum}, f"{method}, {STEPS} steps (integrated gradients)", len(images))
    torch.testing.assert_close(found.results["suite"], found.results["captum"].float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("times", [4, 16])
def test_second_derivatives_by_internal_batch_size(benchmark, times):
    network, images, labels, baseline = case(64)
    fit, surrogate = default_internal_batch_size(images), softened(network, 30.0)

    def step(size):
        how = replace(make_attribution("integrated-gradients", baseline, n_steps=10), internal_batch_size=size)
        objective = attack_objective("top-k", how.maps(network, images, labels), 100)
        return lambda: how.objective_gradient(surrogate, images, labels, objective.differentiable)

    methods = {"default_internal_batch_size": step(fit), f"{times} times as large": step(times * fit)}
    found = timed(benchmark, methods, f"one attack step on integrated gradients, internal batch sizes {fit} and {times * fit}", len(images))
    one, other = found.results.values()
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.skipif(GPU, reason="a GPU uses torch's softplus")
def test_second_derivatives_by_the_softplus(benchmark, monkeypatch):
    network, images, labels, baseline = case(64)
    how, surrogate = make_attribution("integrated-gradients", baseline, n_steps=10).batched_for(images), softened(network, 30.0)
    objective = attack_objective("top-k", how.maps(network, images, labels), 100)

    def step():
        return how.objective_gradient(surrogate, images, labels, objective.differentiable)

    def with_torch_softplus():
        with monkeypatch.context() as patched:
            patched.setattr("myths.saliency.surrogate.softplus", lambda x, beta: torch.nn.functional.softplus(x, beta))
            return step()

    found = timed(
        benchmark, {"suite": step, "torch's": with_torch_softplus}, "one attack step on integrated gradients, by softplus", len(images)
    )
    torch.testing.assert_close(*found.results.values(), rtol=1e-3, atol=1e-6)
