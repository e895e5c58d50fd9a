"""Speed of attacks and attributions of myth 7.

- Attacked images per second: in a batch, versus image by image as in the authors' code.
- Attributions per second, versus captum.
- Second derivatives: with the default internal batch size versus larger ones, and with the suite's softplus versus torch's.

The methods of a pair are interleaved in one test. ``extra_info`` holds both speeds and their ratio. Their results must agree.
"""

from dataclasses import replace

import pytest
import torch
from gpu_stages.saliency import attack_methods, attribution_methods, case

from myths.lab.measurement.device import select_device
from myths.lab.measurement.timing import compare_timings
from myths.saliency.attacks.objectives import attack_objective
from myths.saliency.attributions import default_internal_batch_size, make_attribution
from myths.saliency.surrogate import softened

pytest.importorskip("captum.attr")

DEVICE = select_device("auto")
GPU = DEVICE != "cpu"
IMAGES = 512 if GPU else 16
STEPS = 50 if GPU else 8
INTERNAL_BATCH_SIZE = 25_600 if GPU else 128
ATTACKED = 64 if GPU else 8


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
    settings = {"n_steps": STEPS, "n_iterations": 10 if GPU else 3, "internal_batch_size": INTERNAL_BATCH_SIZE}
    timed(benchmark, attack_methods(method, ATTACKED, DEVICE, **settings), f"attack on {method}", ATTACKED)


@pytest.mark.parametrize("method", ["gradient", "integrated-gradients", "deeplift", "grad-cam"])
def test_attributions_per_second_versus_captum(benchmark, method):
    methods = attribution_methods(method, IMAGES, DEVICE, n_steps=STEPS, internal_batch_size=INTERNAL_BATCH_SIZE)
    found = timed(benchmark, methods, f"{method}, {STEPS} steps (integrated gradients)", IMAGES)
    torch.testing.assert_close(found.results["suite"], found.results["captum"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("times", [4, 16])
def test_second_derivatives_by_internal_batch_size(benchmark, times):
    network, images, labels, baseline = case(64, DEVICE)
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
    network, images, labels, baseline = case(64, DEVICE)
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
