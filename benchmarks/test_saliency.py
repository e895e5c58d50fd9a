"""Attacked images a second, all at once and one at a time as the authors' code goes; attributions a second beside captum's; second
derivatives in chunks of the size that the device is given, beside larger ones, and through the suite's softplus, beside torch's own.

Each pair is timed in turn in one test, so that drift of the machine falls on both: 32-pixel images, ResNet-8, the same steps and the
same chunk. ``extra_info`` holds both and their ratio; what is compared is checked to be equal first.
"""

import itertools
from dataclasses import replace

import pytest
import torch

from myths.lab.device import select_device
from myths.lab.timing import compare_timings
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
CHUNK = 25_600 if GPU else 128
ATTACKED = 64 if GPU else 8
SCHEDULE = Schedule(n_iterations=10 if GPU else 3, step_size=1.0, eval_interval=5, share_trajectory=True)
EPSILONS = (1.0, 2.0, 4.0, 8.0)


class Modules(torch.nn.Module):
    """Convolutions and ReLUs as modules, which captum's DeepLIFT needs; the others take it as well."""

    def __init__(self):
        super().__init__()
        widths = (3, 16, 32, 64)
        layers = [torch.nn.Sequential(torch.nn.Conv2d(a, b, 3, 2, 1), torch.nn.ReLU()) for a, b in itertools.pairwise(widths)]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(64 * 16, 10))

    def forward(self, x):
        """Logits."""
        return self.layers(x)


def case(n):
    torch.manual_seed(0)
    network = build("resnet8", 10, 3, 32).to(DEVICE).eval().requires_grad_(False)
    images = torch.rand(n, 3, 32, 32, device=DEVICE)
    return network, images, network(images).argmax(1), torch.full((3, 1, 1), 0.5, device=DEVICE)


def timed(benchmark, methods, group, unit):
    """Times all methods in turn; pytest-benchmark shows the first, ``extra_info`` all of them."""
    found = compare_timings(methods, DEVICE, repeats=5, warmup=1, budget_seconds=20.0)
    ours, theirs = methods
    seconds = {name: timing.median for name, timing in found.timings.items()}
    benchmark.group = group
    benchmark.extra_info |= {f"{name}_per_second": unit / s for name, s in seconds.items()}
    benchmark.extra_info |= {"ratio": found.ratio(theirs, ours), "torch": torch.__version__, "device": DEVICE}
    benchmark.pedantic(methods[ours], rounds=3)
    print(
        f"\n{group}: " + ", ".join(f"{name} {unit / s:.1f}/s" for name, s in seconds.items()) + f"; {found.ratio(theirs, ours):.2f} times"
    )
    return found


@pytest.mark.parametrize("method", ["gradient", "deeplift", "integrated-gradients"])
def test_attacked_images_per_second(benchmark, method):
    network, images, labels, baseline = case(ATTACKED)
    how = replace(make_attribution(method, baseline, n_steps=STEPS), internal_batch_size=CHUNK)

    def attacked(x, y):
        top = AttackConfig(attack="top-k", attack_attribution=how, eval_attribution=how, epsilons=EPSILONS, k=100, schedule=SCHEDULE)
        return perturb(top, network, x, y, torch.Generator(DEVICE).manual_seed(0))[8.0]

    def one_at_a_time():
        return torch.cat([attacked(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))])

    timed(benchmark, {"batched": lambda: attacked(images, labels), "one at a time": one_at_a_time}, f"attack on {method}", len(images))


@pytest.mark.parametrize("method", ["gradient", "integrated-gradients", "deeplift", "grad-cam"])
def test_attributions_per_second_beside_captum(benchmark, method):
    network, images, labels, baseline = case(IMAGES)
    network = Modules().to(DEVICE).requires_grad_(False) if method == "deeplift" else network
    baselines = baseline.expand_as(images)
    how = replace(make_attribution(method, baseline, output="logit", n_steps=STEPS), internal_batch_size=CHUNK)

    def ours():
        return how.attribute(network, images, labels)

    def theirs():
        x = images.clone().requires_grad_()
        if method == "gradient":
            found = captum.Saliency(network).attribute(x, labels, abs=False)
        elif method == "integrated-gradients":
            found = captum.IntegratedGradients(network).attribute(
                x, baselines, labels, n_steps=STEPS, method="riemann_middle", internal_batch_size=CHUNK
            )
        elif method == "deeplift":
            found = captum.DeepLift(network).attribute(x, baselines, labels)
        else:
            layer = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)][-1]
            coarse = captum.LayerGradCam(network, layer).attribute(x, labels, relu_attributions=True)
            found = captum.LayerAttribution.interpolate(coarse, (32, 32), "bilinear")
        return found.detach()

    found = timed(benchmark, {"ours": ours, "captum": theirs}, f"{method}, {STEPS} steps where there are steps", len(images))
    torch.testing.assert_close(found.results["ours"], found.results["captum"].float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("times", [4, 16])
def test_second_derivatives_by_the_chunk(benchmark, times):
    network, images, labels, baseline = case(64)
    fit, surrogate = default_internal_batch_size(images), softened(network, 30.0)

    def step(chunk):
        how = replace(make_attribution("integrated-gradients", baseline, n_steps=10), internal_batch_size=chunk)
        objective = attack_objective("top-k", how.maps(network, images, labels), 100)
        return lambda: how.objective_gradient(surrogate, images, labels, objective.differentiable)

    ways = {"default_internal_batch_size": step(fit), f"{times} times as much": step(times * fit)}
    found = timed(benchmark, ways, f"a step against integrated gradients, chunks of {fit} and {times * fit}", len(images))
    one, other = found.results.values()
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.skipif(GPU, reason="a GPU takes torch's own")
def test_second_derivatives_by_the_softplus(benchmark, monkeypatch):
    network, images, labels, baseline = case(64)
    how, surrogate = make_attribution("integrated-gradients", baseline, n_steps=10).batched_for(images), softened(network, 30.0)
    objective = attack_objective("top-k", how.maps(network, images, labels), 100)

    def step():
        return how.objective_gradient(surrogate, images, labels, objective.differentiable)

    def with_torchs():
        with monkeypatch.context() as patched:
            patched.setattr("myths.saliency.surrogate.softplus", lambda x, beta: torch.nn.functional.softplus(x, beta))
            return step()

    found = timed(benchmark, {"ours": step, "torch's": with_torchs}, "a step against integrated gradients, by softplus", len(images))
    torch.testing.assert_close(*found.results.values(), rtol=1e-3, atol=1e-6)
