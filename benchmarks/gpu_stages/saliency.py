"""Attacks and attributions: all images at once, versus one image at a time and versus captum, with equal internal batch sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gpu_stages.stage import Goal, Run, stage
from myths.lab.measurement.timing import compare_timings
from myths.lab.vision.networks import build
from myths.saliency.attacks import AttackConfig, perturb
from myths.saliency.attributions import make_attribution
from myths.saliency.names import Schedule

EPSILONS = (1.0, 2.0, 4.0, 8.0)
Methods = dict[str, Callable[[], Any]]


class ModuleNetwork(nn.Module):
    """Network whose convolutions and ReLUs are modules, as captum's DeepLIFT requires."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64)
        layers = [nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU()) for a, b in itertools.pairwise(widths)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.layers(x)


def case(n: int, device: str) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Return an untrained ResNet-8, ``n`` random images, their predicted labels, and a gray baseline."""
    torch.manual_seed(0)
    network = build("resnet8", 10, 3, 32).to(device).eval().requires_grad_(False)
    images = torch.rand(n, 3, 32, 32, device=device)
    return network, images, network(images).argmax(1), torch.full((3, 1, 1), 0.5, device=device)


def attack_methods(method: str, n: int, device: str, *, n_steps: int, n_iterations: int, internal_batch_size: int) -> Methods:
    """Return the attack on ``n`` images in a batch, and image by image as in the authors' code."""
    network, images, labels, baseline = case(n, device)
    how = replace(make_attribution(method, baseline, n_steps=n_steps), internal_batch_size=internal_batch_size)
    schedule = Schedule(n_iterations=n_iterations, step_size=1.0, eval_interval=5, share_trajectory=True)
    config = AttackConfig(attack="top-k", attack_attribution=how, eval_attribution=how, epsilons=EPSILONS, k=100, schedule=schedule)

    def attacked(x: Tensor, y: Tensor) -> Tensor:
        return perturb(config, network, x, y, torch.Generator(device).manual_seed(0))[8.0]

    def one_at_a_time() -> Tensor:
        return torch.cat([attacked(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))])

    return {"batched": lambda: attacked(images, labels), "one at a time": one_at_a_time}


def attribution_methods(method: str, n: int, device: str, *, n_steps: int, internal_batch_size: int) -> Methods:
    """Return the attributions of ``n`` images by the suite and by captum."""
    import captum.attr as captum

    network, images, labels, baseline = case(n, device)
    network = ModuleNetwork().to(device).requires_grad_(False) if method == "deeplift" else network
    baselines = baseline.expand_as(images)
    how = replace(make_attribution(method, baseline, output="logit", n_steps=n_steps), internal_batch_size=internal_batch_size)

    def with_captum() -> Tensor:
        x = images.clone().requires_grad_()
        if method == "gradient":
            found = captum.Saliency(network).attribute(x, labels, abs=False)
        elif method == "integrated-gradients":
            found = captum.IntegratedGradients(network).attribute(
                x, baselines, labels, n_steps=n_steps, method="riemann_middle", internal_batch_size=internal_batch_size
            )
        elif method == "deeplift":
            found = captum.DeepLift(network).attribute(x, baselines, labels)
        else:
            layer = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
            coarse = captum.LayerGradCam(network, layer).attribute(x, labels, relu_attributions=True)
            found = captum.LayerAttribution.interpolate(coarse, (32, 32), "bilinear")
        return found.detach().float()

    return {"suite": lambda: how.attribute(network, images, labels), "captum": with_captum}


@stage(
    "attributions",
    seconds=8,
    answers="how many images per second are attributed, versus captum?",
    goals=[Goal("attributions", "attributions per second with equal internal batch sizes, slowest method", "≥", 1, "captum")],
)
def measure_attributions(run: Run) -> None:
    """Time four methods of attribution, interleaved with captum's, whose values must agree."""
    n, n_steps, size = run.pick((512, 50, 25_600) if run.gpu else (16, 8, 128), (4, 2, 8))
    ratios = []
    for method in ("gradient", "integrated-gradients", "deeplift", "grad-cam"):
        with run.peer(f"captum, {method}"):
            methods = attribution_methods(method, n, run.device, n_steps=n_steps, internal_batch_size=size)
            found = compare_timings(methods, run.device, repeats=run.pick(20, 1), warmup=run.pick(2, 1), budget_seconds=run.pick(0.5, 0.01))
            torch.testing.assert_close(found.results["suite"], found.results["captum"], rtol=1e-3, atol=1e-4)
            ratios.append(found.ratio("captum", "suite"))
            speeds = {f"{name}_per_second": n / timing.median for name, timing in found.timings.items()}
            run.row(method=method, images=n, **speeds, suite_over_captum=ratios[-1])
    if ratios:
        run.reach("attributions", min(ratios))


@stage(
    "attacks",
    seconds=15,
    answers="how many images per second are attacked, versus one image at a time?",
    goals=[Goal("attacks", "attacked images per second, 256 at once, method with the smallest gain", "≥", 20, "one image at a time")],
)
def measure_attacks(run: Run) -> None:
    """Time attacks on three methods for a batch, and for single images of which there are fewer."""
    n, single = run.pick((256, 4) if run.gpu else (8, 4), (2, 1))
    n_steps, n_iterations, size = run.pick((50, 10, 25_600) if run.gpu else (8, 3, 128), (2, 1, 8))
    ratios = []
    for method in ("gradient", "deeplift", "integrated-gradients"):
        settings = {"n_steps": n_steps, "n_iterations": n_iterations, "internal_batch_size": size}
        batched = attack_methods(method, n, run.device, **settings)["batched"]
        alone = attack_methods(method, single, run.device, **settings)["one at a time"]
        found = compare_timings(
            {"batched": batched, "alone": alone}, run.device, repeats=run.pick(5, 1), warmup=run.pick(2, 1), budget_seconds=1.0
        )
        speeds = {"batched": n / found.timings["batched"].median, "alone": single / found.timings["alone"].median}
        ratios.append(speeds["batched"] / speeds["alone"])
        run.row(method=method, images=n, batched_per_second=speeds["batched"], alone_per_second=speeds["alone"], ratio=ratios[-1])
    run.reach("attacks", min(ratios))
