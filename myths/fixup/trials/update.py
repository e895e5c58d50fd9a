"""Measure how much a step of gradient descent changes the function of the network, and the gradient norm of each block.

Zhang et al. 2019, Secs. 2 and 3: without normalization, gradients of networks with standard initialization grow exponentially with
depth. With Fixup, a step of learning rate η changes the function by Θ(η) at any depth. This trial measures both.

Fixup initializes the classification layer to zero, so the first step changes only that layer and cannot depend on depth. The second step
also changes the last layers of the branches, and the third changes all layers. From then on, only the factor L^(−1/(2m−2)) bounds the sum
over L branches. The trial therefore measures several steps.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from myths.fixup.trials.image_training import REAL, ImageTrial, threads_for
from myths.lab.errors import UsageError
from myths.lab.setting import Count
from myths.lab.trial import Context, Outcome, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float, Int64
    from torch import Tensor

    from myths.fixup.network import ResidualNetwork


@dataclass(frozen=True, kw_only=True)
class MeasureUpdate(ImageTrial):
    """Take a few steps of gradient descent from initialization and measure the change of the function by each step.

    Every step uses a new minibatch. The change is measured on the same minibatch: the root mean square, over its images, of the norm of
    the change of the logits.
    """

    examples_per_step: Count = 64
    """Number of examples per step."""
    steps: Count = 5
    """Number of steps."""

    @property
    def protocol(self) -> Protocol:
        """Reduced on real images and stand-in on others. The paper states the law and reports no experiment."""
        return "reduced" if self.dataset in REAL else "stand-in"

    @property
    def relative_cost(self) -> float:
        """About four passes per step: a gradient, a directional derivative and two forward passes."""
        return self.compute_cost(4.0 * self.examples_per_step * self.steps, self.examples_per_step) + 0.05

    @classmethod
    def test_instance(cls) -> MeasureUpdate:
        """Return a trial of two steps of the shallowest network on a few digits."""
        return cls(dataset="digits", depth=10, method="fixup", width=4, examples_per_step=16, steps=2)

    def run(self, context: Context) -> Outcome:
        """Return one row per step and, for the first and the last step, one row per block.

        Rows of ``kind`` "step": step (from 1), loss, largest_logit before it, update (by the step), update_over_learning_rate (its limit
        for a learning rate of 0), gradient_norm, stem_gradient_norm. Rows of ``kind`` "layer": step, block, gradient_norm of its
        convolutions. The trial ends at the first step whose loss or update is not finite.
        """
        import torch

        examples = self.examples(context)
        if self.examples_per_step > len(examples.x):
            raise UsageError(
                f"Invalid examples_per_step={self.examples_per_step}: {self.dataset} has {len(examples.x)} training examples; use fewer."
            )
        network = self.network(context, examples)
        forget_running_statistics(network)
        order = torch.from_numpy(context.rng("order").permutation(len(examples.x))).to(examples.x.device)
        rows: list[dict[str, Any]] = []
        for step in range(1, self.steps + 1):
            chosen = order[torch.arange((step - 1) * self.examples_per_step, step * self.examples_per_step) % len(order)]
            pixels = examples.x[chosen].float() / 255
            about = {"step": step, "branches": self.branches}
            with threads_for(pixels[:, 0].numel() * self.width, context.device):
                found, layers = descend(network, pixels, examples.y[chosen], self.learning_rate)
            rows.append({"kind": "step", **about, **found})
            if step in (1, self.steps):
                rows += [{"kind": "layer", **about, "block": i, "gradient_norm": norm} for i, norm in enumerate(layers)]
            if not all(map(_finite, (found["loss"], found["update"]))):
                break
        return Outcome(rows=rows)


def descend(
    network: ResidualNetwork, pixels: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], rate: float
) -> tuple[dict[str, float], list[float]]:
    """Take one step of gradient descent in place and measure it.

    Args:
        network: The network. Its scalars use the method's own learning rate.
        pixels: Minibatch of images between 0 and 1.
        labels: Labels of the images.
        rate: Learning rate of the weights.

    Returns:
        The measures described in ``MeasureUpdate.run``, and the gradient norm of the convolutions of each block.
    """
    import torch
    import torch.nn.functional as F

    parameters = dict(network.named_parameters())
    own = {id(p) for p in network.scalars()}
    logits = network(pixels)
    loss = F.cross_entropy(logits, labels)
    gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    direction = {n: -g * (network.method.scalar_lr_factor if id(parameters[n]) in own else 1.0) for n, g in gradients.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script`", FutureWarning)  # torch emits it when it loads forward-mode differentiation
        per_rate = torch.func.jvp(
            lambda p: torch.func.functional_call(network, p, (pixels,)), ({n: p.detach() for n, p in parameters.items()},), (direction,)
        )[1]
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.add_(rate * direction[name])
        after = network(pixels)
    squares = torch.stack([gradient.square().sum() for gradient in gradients.values()])
    in_block = [0.0] * len(network.blocks)
    for name, square in zip(gradients, squares.tolist(), strict=True):
        part, _, rest = name.partition(".")
        if part == "blocks" and ".convs." in f".{rest}":
            in_block[int(rest.partition(".")[0])] += square
    measures = {
        "loss": float(loss.detach()),
        "largest_logit": float(logits.detach().abs().max()),
        "update": _root_mean_square(after - logits.detach()),
        "update_over_learning_rate": _root_mean_square(per_rate.detach()),
        "gradient_norm": float(squares.sum().sqrt()),
        "stem_gradient_norm": float(gradients["stem.weight"].norm()),
    }
    return measures, [square**0.5 for square in in_block]


def forget_running_statistics(network: ResidualNetwork) -> None:
    """Make batch normalization use batch statistics only, so that the parameters are the only state of the network."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = None


def _root_mean_square(change: Float[Tensor, "n classes"]) -> float:
    return float(change.square().sum(1).mean().sqrt())


def _finite(number: float) -> bool:
    return number - number == 0
