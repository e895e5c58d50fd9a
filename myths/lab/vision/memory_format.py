"""Memory format of convolutions.

Channels last is the faster format, with one exception. On CPUs with AVX2 and without AVX-512, oneDNN (3.10 to 3.13, hence torch 2.11 to
2.15) writes past a buffer in the backward pass of a 1×1 convolution with a stride when the input has fewer than 8 channels and is in
channels last (uxlfoundation/oneDNN#6035). The process crashes, hangs, or computes wrong gradients. The contiguous format is not affected.

The rule depends on shapes only, not on the instruction set, so a network uses the same format on every CPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BLOCK = 8
"""Channel block size of oneDNN's AVX2 kernels. Convolutions with fewer input channels are affected."""


def corrupts_memory(in_channels: int, kernel_size: Sequence[int], stride: Sequence[int], groups: int = 1) -> bool:
    """Return whether oneDNN may write past a buffer in the backward pass of such a convolution in channels last.

    Args:
        in_channels: Channels of the input, of all groups together.
        kernel_size: Size of the kernel along each spatial axis.
        stride: Stride along each spatial axis.
        groups: Number of groups.
    """
    return max(kernel_size) == 1 and max(stride) > 1 and in_channels // groups < BLOCK


def memory_format_of(network: nn.Module, device: str | torch.device) -> torch.memory_format:
    """Return the memory format for a network and its inputs.

    Args:
        network: The network.
        device: The device, as torch names it. GPUs compute in channels last always.
    """
    if torch.device(device).type != "cpu":
        return torch.channels_last
    forbidden = any(
        corrupts_memory(module.in_channels, module.kernel_size, module.stride, module.groups)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    )
    return torch.contiguous_format if forbidden else torch.channels_last


def place(network: nn.Module, device: str | torch.device) -> torch.memory_format:
    """Move a network to a device in place, convert it to its memory format, and return that format.

    Args:
        network: The network. Its parameters stay the same objects on the same device.
        device: The device, as torch names it.
    """
    chosen = memory_format_of(network, device)
    network.to(torch.device(device)).to(memory_format=chosen)
    return chosen


def of_filters(weight: Tensor, stride: int) -> torch.memory_format:
    """Return the memory format for the filters of one functional convolution (k, c, p, q) and for its inputs."""
    forbidden = weight.device.type == "cpu" and corrupts_memory(weight.shape[1], weight.shape[2:], (stride,))
    return torch.contiguous_format if forbidden else torch.channels_last
