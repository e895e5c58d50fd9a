"""Relational-graph MLPs of You et al. 2020: hidden units are divided among the nodes of a graph, and weights exist along its edges only.

Several networks of equal size train in one batch of matrix products. A node reads the units of its neighbors and its own; only these
blocks are multiplied, so a sparse network costs less than a dense one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from myths.wiring.graphs import Wiring

LAYERS = 3
"""Number of wired layers, as in the authors' five-layer MLP: a dense stem and a dense head are not wired."""
EPSILON = 1e-5


class RelationalMLP(nn.Module):
    """Networks with a dense stem, wired layers and a dense head; batch normalization and ReLU after every layer but the head.

    Args:
        wirings: One wiring per network, with equally many nodes and edges.
        inputs: Number of input values.
        widths: Units of the stem and of the wired layers; the number of nodes divides both.
        classes: Number of classes.
        generator: Source of the initial weights (He et al. 2015, with the number of inputs that a unit really has).
    """

    neighbors: Tensor

    def __init__(self, wirings: Sequence[Wiring], inputs: int, widths: tuple[int, int], classes: int, generator: torch.Generator) -> None:
        super().__init__()
        stem, width = widths
        networks, nodes = len(wirings), wirings[0].nodes
        self.nodes, self.recording = nodes, False
        neighbors, degree = _neighbors(wirings)
        self.register_buffer("neighbors", neighbors)
        self.stem = _normal((networks, inputs, stem), torch.tensor(float(inputs)), generator)
        self.wired = nn.ParameterList()
        self.blocks: list[int] = []
        for units in (stem, *[width] * (LAYERS - 1)):
            each = units // nodes
            fan_in = (degree * each).view(-1, 1, 1)
            self.wired.append(_normal((networks * nodes, neighbors.shape[-1] * each, width // nodes), fan_in, generator))
            self.blocks.append(each)
        self.head = _normal((networks, width, classes), torch.tensor(2.0 * width), generator)
        self.bias = nn.Parameter(torch.zeros(networks, 1, classes))
        units_of = (stem, *[width] * LAYERS)
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(networks, 1, units)) for units in units_of)
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(networks, 1, units)) for units in units_of)
        self.moments: list[list[tuple[Tensor, Tensor]]] = [[] for _ in units_of]

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "networks batch classes"]:
        """Return the logits of every network for the same inputs."""
        # Examples are the last dimension, so that the units of a node are one piece of memory: gathering copies whole pieces.
        hidden = self._activate(self.stem.transpose(1, 2) @ x.T, 0)
        for layer, weight in enumerate(self.wired):
            following = torch.bmm(weight.transpose(1, 2), self._gather(hidden, self.blocks[layer]))
            hidden = self._activate(following.view(len(hidden), -1, len(x)), layer + 1)
        return hidden.transpose(1, 2) @ self.head + self.bias

    def _gather(self, hidden: Float[Tensor, "networks units batch"], each: int) -> Float[Tensor, "rows inputs batch"]:
        """Return the inputs of every node: the units of its neighbors, then zeros up to the largest degree."""
        networks, _, batch = hidden.shape
        by_node = hidden.reshape(networks, self.nodes, each * batch)
        padded = torch.cat([by_node, by_node.new_zeros(networks, 1, each * batch)], 1).flatten(0, 1)
        return padded.index_select(0, self.neighbors.flatten()).view(networks * self.nodes, -1, batch)

    def _activate(self, x: Float[Tensor, "networks units batch"], layer: int) -> Float[Tensor, "networks units batch"]:
        if self.training or self.recording:
            variance, mean = torch.var_mean(x, 2, correction=0, keepdim=True)
            if self.recording:
                self.moments[layer].append((mean, variance))
        else:
            mean, variance = (torch.stack(moment).mean(0) for moment in zip(*self.moments[layer], strict=True))
        scale = torch.rsqrt(variance + EPSILON) * self.scales[layer].transpose(1, 2)
        return torch.relu((x - mean) * scale + self.shifts[layer].transpose(1, 2))

    @torch.no_grad()
    def record_moments(self, batches: Sequence[Float[Tensor, "_ inputs"]]) -> None:
        """Compute the mean and variance that evaluation uses from training images, as the authors do ("precise statistics")."""
        self.moments, self.recording = [[] for _ in self.moments], True
        for batch in batches:
            self(batch)
        self.recording = False


def wired_parameters(nodes: int, edges: int, stem: int, width: int, classes: int) -> int:
    """Return the number of parameters after the stem: existing blocks, normalization and head."""
    blocks = 2 * edges + nodes
    return blocks * (stem * width + (LAYERS - 1) * width**2) // nodes**2 + 2 * LAYERS * width + (width + 1) * classes


def equal_width(nodes: int, edges: int, stem: int, classes: int) -> int:
    """Return the multiple of the number of nodes that gives a wiring about as many parameters as the complete graph of width ``stem``."""
    wanted = wired_parameters(nodes, nodes * (nodes - 1) // 2, stem, stem, classes)
    return min(range(nodes, 64 * nodes, nodes), key=lambda width: abs(wired_parameters(nodes, edges, stem, width, classes) - wanted))


def _neighbors(wirings: Sequence[Wiring]) -> tuple[Int64[Tensor, "networks nodes most"], Int64[Tensor, "networks nodes"]]:
    """Return the rows that each node reads (itself first, then its neighbors, then a row of zeros), and their number."""
    nodes = wirings[0].nodes
    lists = [[[node, *(int(i) for i in row.nonzero()[0])] for node, row in enumerate(wiring.adjacency)] for wiring in wirings]
    most = max(len(read) for of_network in lists for read in of_network)
    rows = [[[*read, *[nodes] * (most - len(read))] for read in of_network] for of_network in lists]
    offsets = torch.arange(len(wirings)).view(-1, 1, 1) * (nodes + 1)
    return torch.tensor(rows) + offsets, torch.tensor([[len(read) for read in of_network] for of_network in lists])


def _normal(shape: tuple[int, ...], fan_in: Tensor, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator) * (2 / fan_in).sqrt())
