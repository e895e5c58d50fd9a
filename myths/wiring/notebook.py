"""Describe how a ``torch.nn.Module`` is wired, from Python.

Example:
    >>> from torchvision import models
    >>> from myths import wiring
    >>> found = wiring.describe(models.resnet18())
    >>> print(found)                                # doctest: +SKIP
    >>> found.numbers["path_length"], found.blocks[:3]      # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from myths.wiring import prediction, user_summary
from myths.wiring.block_graph import block_graph


@dataclass(frozen=True)
class Described:
    """The block graph of a module and its numbers; ``print`` shows them as text.

    Attributes:
        name: Class of the module.
        blocks: Name of every node.
        edges: Pairs of names.
        numbers: As ``prediction.describe`` returns them.
    """

    name: str
    blocks: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    numbers: dict[str, Any]

    def __str__(self) -> str:
        return user_summary.summarize(self.name, self.numbers)


def describe(
    module: nn.Module, *, blocks: type[nn.Module] | tuple[type[nn.Module], ...] = (), device: str = "cpu", seed: int = 0
) -> Described:
    """Return the block graph of a module with its invariants, its Potts transition and its place among the published wirings.

    Blocks are layers with a weight matrix or kernel, operations that join several blocks, and submodules of the classes ``blocks``. An edge
    means that one block reads the output of another; its direction is dropped. The module is traced by ``torch.fx`` and not run.

    Args:
        module: A module with 4 to 64 blocks.
        blocks: Class of submodules that count as one block each, or a tuple of classes, for networks with more layers.
        device: Device of the sampling.
        seed: Seed of the sampling.

    Raises:
        UsageError: ``torch.fx`` cannot trace the module, or its graph has too few or too many blocks or is not connected.
    """
    graph = block_graph(module, blocks)
    names = graph.blocks
    numbers = prediction.describe(graph.wiring, torch.Generator(device).manual_seed(seed))
    return Described(type(module).__name__, names, tuple((names[a], names[b]) for a, b in sorted(graph.wiring.edges)), numbers)
