"""Scores of training examples early in training: EL2N and GraND (Paul, Ganguli & Dziugaite 2021, Def. 2.1 and 2.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from myths.lab.measurement.device import CHANNELS, halve_on_out_of_memory


def el2n(logits: Float[Tensor, "n classes"], labels: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the norm of the error vector: predicted probabilities minus the one-hot label."""
    return (logits.softmax(1) - F.one_hot(labels, logits.shape[1])).norm(dim=1)


def grand(
    network: nn.Module, x: UInt8[Tensor, "n c h w"], y: Int64[Tensor, " n"], *, device: str, batch_size: int = 64
) -> Float[Tensor, " n"]:
    """Return the norm of each example's gradient of the cross-entropy with respect to all trainable parameters, on the CPU.

    The network is in evaluation mode, so that batch normalization does not couple the examples. The images are not augmented.

    Args:
        network: The network.
        x: Images.
        y: Class of each image.
        device: Device of the network.
        batch_size: Number of gradients in memory at once; halved if memory runs out.
    """
    trained = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in network.named_parameters() if not p.requires_grad} | dict(network.named_buffers())

    def loss(parameters: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = torch.func.functional_call(network, parameters | fixed, (image[None],))
        return F.cross_entropy(logits, label[None])

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))

    def work(piece: slice) -> Tensor:
        pixels = x[piece].to(device).float() / 255
        each = gradients(trained, pixels, y[piece].to(device))
        return torch.stack([g.flatten(1).square().sum(1) for g in each.values()]).sum(0).sqrt().cpu()

    largest = max(p.numel() for p in trained.values())
    was_training = network.training
    network.eval()
    try:
        lengths, _ = halve_on_out_of_memory(work, len(x), batch_size, elements=max(largest, CHANNELS * x.shape[2] * x.shape[3]))
    finally:
        network.train(was_training)
    return torch.cat(lengths)
