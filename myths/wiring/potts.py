"""The Potts model on graphs: Swendsen–Wang and logit dynamics in batches, and exact moments.

A configuration gives each node one of q states. Its probability is proportional to exp(β · number of edges with equal ends); J is 1.
A replica is one graph at one β in one Markov chain. The replicas of a batch together are one large graph without edges between them, so
they may have different edges and need no padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy import ndarray as Array
from torch import Tensor

from myths.wiring import tutte
from myths.wiring.graphs import Wiring, distances


@dataclass(frozen=True)
class Replicas:
    """Replicas with equally many nodes, which are numbered through.

    Attributes:
        nodes: Number of nodes per replica.
        states: Number of states q.
        first: One end of every edge.
        second: The other end.
        replica: Replica of every edge.
        opening: Probability 1 − exp(−β) that an edge with equal ends is open (Fortuin & Kasteleyn 1972).
        shape: Number of wirings, temperatures and chains, in this order.
    """

    nodes: int
    states: int
    first: Int64[Tensor, " edges"]
    second: Int64[Tensor, " edges"]
    replica: Int64[Tensor, " edges"]
    opening: Float[Tensor, " edges"]
    shape: tuple[int, int, int]

    @property
    def count(self) -> int:
        """Number of replicas."""
        return int(np.prod(self.shape))

    @classmethod
    def of(cls, wirings: Sequence[Wiring], betas: Float[Array, "wirings temperatures"], chains: int, states: int, device: str) -> Replicas:
        """Return the replicas of wirings.

        Args:
            wirings: Wirings with equally many nodes.
            betas: Inverse temperatures of each wiring.
            chains: Number of independent chains per wiring and temperature.
            states: Number of states q, at least 2.
            device: Device as torch names it.
        """
        nodes, each = wirings[0].nodes, betas.shape[1] * chains
        ends, replica, beta = [], [], []
        for i, wiring in enumerate(wirings):
            edges = np.array(sorted(wiring.edges)).reshape(-1, 2)
            numbers = np.arange(i * each, (i + 1) * each)
            ends.append((edges[None] + nodes * numbers[:, None, None]).reshape(-1, 2))
            replica.append(np.repeat(numbers, len(edges)))
            beta.append(np.repeat(betas[i], chains * len(edges)))
        first, second = torch.from_numpy(np.concatenate(ends).astype(np.int64).T.copy()).to(device)
        opening = torch.from_numpy(-np.expm1(-np.concatenate(beta)).astype(np.float32)).to(device)
        of_edge = torch.from_numpy(np.concatenate(replica)).to(device)
        return cls(nodes, states, first, second, of_edge, opening, (len(wirings), betas.shape[1], chains))


@dataclass(frozen=True)
class Samples:
    """Measurements of each sweep, as arrays [wirings, temperatures, chains, sweeps].

    Attributes:
        equal: Number of edges with equal ends, the negative energy.
        second: Mean of M² given the clusters, with the order parameter M² = (q · Σ x² − 1) / (q − 1) of the fractions x of nodes per state.
        fourth: Mean of M⁴ given the clusters.
    """

    equal: Int64[Array, "wirings temperatures chains sweeps"]
    second: Float[Array, "wirings temperatures chains sweeps"]
    fourth: Float[Array, "wirings temperatures chains sweeps"]


def swendsen_wang(replicas: Replicas, sweeps: int, burn_in: int, generator: torch.Generator) -> Samples:
    """Sample all replicas by the algorithm of Swendsen & Wang (1987).

    An edge with equal ends is open with probability 1 − exp(−β), and each cluster of open edges gets a new state. Given the clusters, the
    states are independent. The moments are averaged over them, so that they depend on the sizes of the clusters only.

    Args:
        replicas: The replicas. They start in random states.
        sweeps: Number of measured sweeps.
        burn_in: Number of sweeps before them.
        generator: Source of random numbers, on the device of the replicas.
    """
    device, total, q = replicas.first.device, replicas.count * replicas.nodes, replicas.states
    equal = torch.empty(sweeps, replicas.count, dtype=torch.int64, device=device)
    second, fourth = torch.empty(2, sweeps, replicas.count, device=device)
    states = torch.randint(q, (total,), generator=generator, device=device)
    for sweep in range(-burn_in, sweeps):
        same = states[replicas.first] == states[replicas.second]
        is_open = same & (torch.rand(len(same), generator=generator, device=device) < replicas.opening)
        root = components(total, replicas.first[is_open], replicas.second[is_open])
        states = torch.randint(q, (total,), generator=generator, device=device)[root]
        if sweep < 0:
            continue
        size = torch.bincount(root, minlength=total).view(replicas.count, -1) / replicas.nodes
        squares, quartics = size.square().sum(1), size.pow(4).sum(1)
        equal[sweep] = torch.bincount(replicas.replica[same], minlength=replicas.count)
        second[sweep], fourth[sweep] = squares, squares.square() + 2 / (q - 1) * (squares.square() - quartics)
    return Samples(*(each.T.reshape(*replicas.shape, sweeps).cpu().numpy() for each in (equal, second, fourth)))


def components(nodes: int, first: Int64[Tensor, " edges"], second: Int64[Tensor, " edges"]) -> Int64[Tensor, " nodes"]:
    """Return for each node the smallest node of its component.

    All edges at once: the root of a tree is hung below its smallest neighbor, then pointers jump until they reach a root (Shiloach &
    Vishkin 1982). The number of rounds grows with the logarithm of the nodes.

    Args:
        nodes: Number of nodes.
        first: One end of every edge.
        second: The other end.
    """
    root = torch.arange(nodes, device=first.device)
    while True:
        a, b = root[first], root[second]
        apart = a != b
        first, second, a, b = first[apart], second[apart], a[apart], b[apart]
        if not len(first):
            return root
        root.scatter_reduce_(0, torch.maximum(a, b), torch.minimum(a, b), "amin")
        while not torch.equal(jumped := root[root], root):
            root = jumped


def logit_step(
    chosen: Int64[Tensor, "chains nodes"], gains: Float[Tensor, "nodes nodes"], states: int, simultaneous: bool, generator: torch.Generator
) -> Int64[Tensor, "chains nodes"]:
    """Return the states of players after one step of logit dynamics.

    A player chooses a state with probability proportional to e to the sum of the gains from the players in this state. If one random player
    chooses per step, the Potts measure stays (Blume 1993). If all choose at once, another law stays.

    Args:
        chosen: States of the players, one row per independent chain.
        gains: β times the adjacency matrix.
        states: Number of states.
        simultaneous: Whether all players choose.
        generator: Source of random numbers, on the device of the chains.
    """
    chains, n = chosen.shape
    of_state = gains @ torch.nn.functional.one_hot(chosen, states).to(gains.dtype)
    drawn = torch.multinomial(of_state.softmax(-1).flatten(0, 1), 1, generator=generator).view(chains, n)
    if simultaneous:
        return drawn
    player = torch.randint(n, (chains, 1), generator=generator, device=chosen.device)
    return torch.where(torch.arange(n, device=chosen.device) == player, drawn, chosen)


def binder_cumulant(second: Float[Array, "*shape"], fourth: Float[Array, "*shape"], states: int) -> Float[Array, "*shape"]:
    """Return Binder's cumulant of an order parameter with q − 1 components: 0 in a disordered and 1 in an ordered infinite graph.

    Args:
        second: Mean of M².
        fourth: Mean of M⁴.
        states: Number of states q.
    """
    parts = states - 1
    return (parts + 2) / 2 - parts / 2 * fourth / second**2


def squared_magnetization(chosen: Int64[Array, "... nodes"], states: int) -> Float[Array, "..."]:
    """Return M² of configurations: 0 if all states are equally frequent, 1 if all nodes have one state."""
    fractions = np.stack([(chosen == state).mean(-1) for state in range(states)])
    return (states * (fractions**2).sum(0) - 1) / (states - 1)


# --- exact -------------------------------------------------------------------------------------------


def enumerated_moments(nodes: int, edges: tutte.Edges, states: int, beta: float) -> tuple[float, float, float]:
    """Return the means of the number of edges with equal ends, of M² and of M⁴, by enumeration of all qⁿ configurations."""
    equal = tutte.equal_edges(nodes, edges, states)
    weight = np.exp(beta * equal)
    weight /= weight.sum()
    squares = squared_magnetization(np.indices((states,) * nodes).reshape(nodes, -1).T, states)
    return float(weight @ equal), float(weight @ squares), float(weight @ squares**2)


def tree_moments(tree: Wiring, states: int, beta: float) -> tuple[float, float]:
    """Return the means of the number of edges with equal ends and of M² on a tree, where edges are independent.

    Two nodes at distance d agree beyond chance with t^d, where t = (e^β − 1) / (e^β − 1 + q). A tree has no transition at β < ∞ but orders
    slowly as t approaches 1.
    """
    v = np.expm1(beta)
    t = v / (v + states)
    return len(tree.edges) * (1 + v) / (v + states), float((t ** distances(tree.adjacency)).mean())


def square_lattice_transition(states: int) -> float:
    """Return β at the transition of the infinite square lattice, ln(1 + √q) (Potts 1952; Beffara & Duminil-Copin 2012)."""
    return float(np.log1p(np.sqrt(states)))


def regular_transition(degree: float, states: int) -> float:
    """Return β at which a tree of this degree loses its only phase, ln(1 + q / (degree − 2)).

    For q = 2 this is the transition of random regular graphs, which are trees near every node (Dembo & Montanari 2010).
    """
    return float(np.log1p(states / (degree - 2)))
