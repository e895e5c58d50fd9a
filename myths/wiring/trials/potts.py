"""Sampling the Potts model: against exact moments, on families of graphs, and on the published wirings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray as Array

from myths.lab.errors import UsageError
from myths.lab.setting import Count, Items, Range, Seed
from myths.lab.trial import Context, Outcome, Protocol, Trial

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from myths.wiring.graphs import Wiring

Dynamics = Literal["swendsen-wang", "logit", "simultaneous logit"]
Family = Literal["square lattice", "tree", "small-world", "random"]
States = Annotated[int, Range(at_least=2, at_most=10)]
Sweeps = Annotated[int, Range(at_least=20)]

TOO_FAR = 5.0
"""Standard errors from the exact mean at which a sampled mean is a mismatch."""
DEGREE = 4
"""Degree of the lattice and the random graphs, and mean degree of the small-world graphs."""
REWIRE = 0.1
"""Rewiring probability of the small-world graphs."""
FAMILY_BETAS = np.array([0.6, 0.75, 0.85, 0.91, 0.94, 0.97, 1.0, 1.03, 1.06, 1.09, 1.15, 1.25, 1.4, 1.6, 1.9])
"""Inverse temperatures of a family, in units of its expected transition."""
WIRING_BETAS = np.array([0.95, 1.1, 1.25, 1.4, 1.6])
"""Inverse temperatures of the published wirings, in units of the transition of a random regular graph of the same mean degree."""
SAME_DENSITY = (0.125, 0.135)
"""Densities of the published wirings that are sampled: width and density are nearly constant."""


@dataclass(frozen=True, kw_only=True)
class CheckSampler(Trial):
    """Compare means of sampled configurations with exact means: by enumeration on small random graphs, in closed form on a tree."""

    dynamics: Dynamics = "swendsen-wang"
    """How configurations are sampled. If all players of the logit dynamics choose at once, the law is another one."""
    graphs: Count = 6
    """Number of random graphs of six nodes."""
    chains: Annotated[int, Range(at_least=8)] = 200
    """Number of independent chains per graph."""
    sweeps: Sweeps = 20
    """Number of measured sweeps of Swendsen–Wang dynamics; half as many come before. The other dynamics are measured once, after twice as
    many steps per player."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Return "paper": the exact means are known."""
        return "paper"

    @classmethod
    def test_instance(cls) -> CheckSampler:
        """Return a comparison on one graph."""
        return cls(graphs=1, chains=16, sweeps=20)

    def run(self, context: Context) -> Outcome:
        """Return one row: cases (means that were compared), mismatches (more than five standard errors apart), largest_z."""
        generator = context.generator("spins", context.device)
        sample = self._swendsen_wang if self.dynamics == "swendsen-wang" else self._logit
        far = []
        for states, beta in ((2, 0.5), (3, 0.9), (4, 1.2)):
            for wiring, exact in self._graphs(context, states, beta):
                far += [abs(z) for z in _z_scores(sample(generator, wiring, states, beta), exact)]
        return Outcome(rows=[{"cases": len(far), "mismatches": sum(z > TOO_FAR for z in far), "largest_z": max(far)}])

    def _graphs(self, context: Context, states: int, beta: float) -> Iterator[tuple[Wiring, tuple[float, float]]]:
        """Yield graphs with the exact means of the number of edges with equal ends and of M²."""
        from myths.wiring import graphs, potts

        for i in range(self.graphs):
            wiring = graphs.watts_strogatz(6, 2 + i % 3, 0.5, context.seed("graphs") + i)
            yield wiring, potts.enumerated_moments(6, sorted(wiring.edges), states, beta)[:2]
        tree = graphs.binary_tree(15)
        yield tree, potts.tree_moments(tree, states, beta)

    def _swendsen_wang(self, generator: torch.Generator, wiring: Wiring, states: int, beta: float) -> tuple[Array, Array]:
        """Return the means of equal edges and of M² of every chain."""
        from myths.wiring import potts

        replicas = potts.Replicas.of([wiring], np.array([[beta]]), self.chains, states, str(generator.device))
        found = potts.swendsen_wang(replicas, self.sweeps, self.sweeps // 2, generator)
        return found.equal[0, 0].mean(-1), found.second[0, 0].mean(-1)

    def _logit(self, generator: torch.Generator, wiring: Wiring, states: int, beta: float) -> tuple[Array, Array]:
        """Return equal edges and M² at the end of every chain."""
        import torch

        from myths.wiring import potts

        gains = beta * torch.from_numpy(wiring.adjacency).float().to(generator.device)
        chosen = torch.randint(states, (self.chains, wiring.nodes), generator=generator, device=generator.device)
        together = self.dynamics == "simultaneous logit"
        for _ in range(2 * self.sweeps * (1 if together else wiring.nodes)):
            chosen = potts.logit_step(chosen, gains, states, together, generator)
        last = chosen.cpu().numpy()
        first, second = np.array(sorted(wiring.edges)).T
        return (last[:, first] == last[:, second]).sum(1), potts.squared_magnetization(last, states)


@dataclass(frozen=True, kw_only=True)
class LocateTransition(Trial):
    """Find the Potts transition of a family of graphs: where Binder's cumulant of graphs of two sizes crosses (finite-size scaling)."""

    family: Family = "square lattice"
    """Family: square lattice (periodic), binary tree, Watts–Strogatz graph of degree 4 rewired with probability 0.1, or random graph of
    degree 4."""
    states: States = 2
    """Number of states q of a node. For more than 4 the transition of the square lattice is of first order, where cumulants mislead."""
    nodes: Annotated[int, Range(at_least=36, at_most=65536)] = 1024
    """Number of nodes of the larger graph; the smaller has a quarter."""
    chains: Count = 4
    """Number of chains per temperature. Small-world and random chains have a graph each."""
    sweeps: Sweeps = 400
    """Number of measured sweeps; a quarter as many come before."""
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Check that a square lattice has a whole side, which can be halved."""
        super().__post_init__()
        if self.family == "square lattice" and (2 * (math.isqrt(self.nodes) // 2)) ** 2 != self.nodes:
            raise UsageError(f"Invalid nodes={self.nodes}: expected the square of an even number for family=square lattice")

    @property
    def protocol(self) -> Protocol:
        """Return "paper": the exact transition of the square lattice is known."""
        return "paper"

    @property
    def relative_cost(self) -> float:
        """Return the updates of nodes in millions."""
        return self.nodes * self.chains * self.sweeps / 1e6

    @classmethod
    def test_instance(cls) -> LocateTransition:
        """Return a small square lattice."""
        return cls(nodes=64, sweeps=40, chains=2)

    def run(self, context: Context) -> Outcome:
        """Return the curves of both sizes and the transition.

        Columns of kind "curve": nodes_of_graph, beta, temperature, magnetization (root of the mean of M²), binder. Of "transition": beta
        (missing if the curves do not cross), expected_beta (if known), deviation_percent, exponent (of finite-size scaling).
        """
        from myths.wiring import finite_size, potts

        expected = self._expected()
        betas = FAMILY_BETAS * (expected or potts.regular_transition(DEGREE, self.states))
        rows, cumulants = [], []
        for nodes in (self.nodes // 4, self.nodes):
            second, fourth = self._moments(context, nodes, betas)
            cumulants.append(potts.binder_cumulant(second, fourth, self.states))
            rows += [
                {"kind": "curve", "nodes_of_graph": nodes, "beta": float(b), "temperature": float(1 / b)}
                | {"magnetization": float(np.sqrt(m)), "binder": float(u)}
                for b, m, u in zip(betas, second, cumulants[-1], strict=True)
            ]
        found = finite_size.find_crossing(betas, cumulants[0], cumulants[1], self.nodes / (self.nodes // 4))
        point: dict[str, Any] = {"kind": "transition", "expected_beta": expected, "beta": found and found.beta}
        point |= {"exponent": found and found.exponent}
        point |= {"deviation_percent": 100 * (found.beta / expected - 1) if found and expected else None}
        return Outcome(rows=[*rows, point])

    def _expected(self) -> float | None:
        """Return the exact transition of the infinite graph, if it is known."""
        from myths.wiring import potts

        if self.family == "square lattice":
            return potts.square_lattice_transition(self.states)
        return potts.regular_transition(DEGREE, 2) if self.family == "random" and self.states == 2 else None

    def _moments(self, context: Context, nodes: int, betas: Float[Array, " points"]) -> tuple[Array, Array]:
        """Return the means of M² and M⁴ at each β over chains and sweeps."""
        from myths.wiring import graphs, potts

        draw: dict[Family, Callable[[int], Wiring]] = {
            "square lattice": lambda i: graphs.square_lattice(math.isqrt(nodes)),
            "tree": lambda i: graphs.binary_tree(nodes),
            "small-world": lambda i: graphs.watts_strogatz(nodes, DEGREE, REWIRE, i),
            "random": lambda i: graphs.random_regular(nodes, i),
        }
        wirings = [draw[self.family](self.seed * self.chains + i) for i in range(self.chains)]
        replicas = potts.Replicas.of(wirings, np.tile(betas, (self.chains, 1)), 1, self.states, context.device)
        generator = context.generator(f"spins/{nodes}", context.device)
        found = potts.swendsen_wang(replicas, self.sweeps, self.sweeps // 4, generator)
        return found.second.mean((0, 2, 3), dtype=float), found.fourth.mean((0, 2, 3), dtype=float)


@dataclass(frozen=True, kw_only=True)
class SampleWirings(Trial):
    """Find the Potts transition of published wirings of one size and nearly one density: the peak of the heat capacity."""

    states: States = 2
    """Number of states q of a node."""
    wirings: Annotated[int, Range(at_least=4)] = 40
    """Number of wirings."""
    first: Annotated[int, Range(at_least=0)] = 0
    """Place of the first wiring in a random order that all trials share."""
    sweeps: Annotated[int, Range(at_least=100)] = 3000
    """Number of measured sweeps at each of five temperatures; a tenth as many come before."""
    seed: Seed = 0

    @property
    def protocol(self) -> Protocol:
        """Return "recomputed": wirings and errors are the authors'."""
        return "recomputed"

    @property
    def relative_cost(self) -> float:
        """Return the sweeps of wirings in thousands."""
        return self.wirings * self.sweeps / 1000

    @classmethod
    def test_instance(cls) -> SampleWirings:
        """Return four wirings and few sweeps."""
        return cls(wirings=4, sweeps=100)

    def run(self, context: Context) -> Outcome:
        """Return one row per wiring.

        Columns: wiring (its row in the published table), the invariants, density, error_percent, beta and beta_error (the peak and its
        jackknife error; missing if the peak is outside of the temperatures), mean_field_beta.
        """
        from dataclasses import asdict

        from myths.wiring import graphs, potts, reweighting

        chosen = self._chosen(context)
        rows = chosen[["density", "rewire_probability", "graph_seed"]].itertuples(index=False)
        drawn = [graphs.watts_strogatz(64, 64 * density, rewire, int(seed)) for density, rewire, seed in rows]
        numbers = [graphs.invariants(wiring) for wiring in drawn]
        betas = np.array([WIRING_BETAS * potts.regular_transition(each.mean_degree, self.states) for each in numbers])
        replicas = potts.Replicas.of(drawn, betas, 1, self.states, context.device)
        samples = potts.swendsen_wang(replicas, self.sweeps, self.sweeps // 10, context.generator(f"spins/{self.first}", context.device))
        peaks = reweighting.heat_capacity_peaks(samples.equal, betas)
        found = []
        for i, (at, error) in enumerate(zip(peaks.beta.tolist(), peaks.error.tolist(), strict=True)):
            row = {"wiring": int(chosen.index[i]), "density": drawn[i].density, "error_percent": float(chosen["error_percent"].iloc[i])}
            row |= asdict(numbers[i]) | {"mean_field_beta": self.states / numbers[i].spectral_radius}
            found.append(row | {"beta": None if math.isnan(at) else at, "beta_error": None if math.isnan(error) else error})
        return Outcome(rows=found)

    def _chosen(self, context: Context) -> pd.DataFrame:
        from myths.wiring import facts

        table, _ = facts.errors("MLP")
        table = table.assign(error_percent=table[facts.seed_columns(table)].mean(axis=1))
        band = table[table["density"].between(*SAME_DENSITY, "left")]
        order = context.rng("wirings").permutation(len(band))[self.first : self.first + self.wirings]
        if len(order) < self.wirings:
            raise UsageError(
                f"Invalid first={self.first}, wirings={self.wirings}: expected at most {len(band)} together, the wirings of this density"
            )
        return band.iloc[order]


@dataclass(frozen=True, kw_only=True)
class CorrelateTransitions(Trial):
    """Correlate the Potts transition of wirings of one size and density with the error of the networks (open question W9).

    Beside it: the transition in mean field, q / largest eigenvalue, and the number of spanning trees, T(1, 1) of the Tutte polynomial, the
    only point of this polynomial that can be computed at 64 nodes.
    """

    sampled: Annotated[tuple[SampleWirings, ...], Items(at_least=1)]
    """The sampled wirings, all with equally many states."""
    resamples: Annotated[int, Range(at_least=20)] = 2000
    """Bootstrap resamples of the wirings."""
    seed: Seed = 0

    @classmethod
    def test_instance(cls) -> CorrelateTransitions:
        """Return a comparison over few wirings."""
        return cls(sampled=(SampleWirings(wirings=24, sweeps=100),), resamples=50)

    def __post_init__(self) -> None:
        """Check that all wirings were sampled with equally many states."""
        super().__post_init__()
        if len({trial.states for trial in self.sampled}) > 1:
            raise UsageError("Invalid sampled: expected trials with equally many states")

    @property
    def states(self) -> int:
        """Number of states q."""
        return self.sampled[0].states

    @property
    def columns(self) -> Mapping[str, Any]:
        """Return the settings, and the states of the sampled wirings."""
        return {**super().columns, "states": self.states}

    def run(self, context: Context) -> Outcome:
        """Return one row per number of the graph.

        Columns: states, number ("Potts transition", "mean field" or "log spanning trees"), wirings, rho (rank correlation with the error)
        and partial (the same given a quadratic function of clustering and path length), both with intervals over wirings. For the
        transition also reliability (the fraction of its variance between wirings that is no error of the sampling) and the range of
        β · mean degree.
        """
        import pandas as pd

        rows = pd.DataFrame([row for trial in self.sampled for row in context.outcome(trial).rows]).drop_duplicates("wiring")
        rows = rows.dropna(subset=["beta"])
        scaled = rows["beta"] * rows["mean_degree"]
        noise = float((rows["beta_error"] * rows["mean_degree"]).pow(2).mean())
        numbers = {
            "Potts transition": scaled,
            "mean field": rows["mean_field_beta"] * rows["mean_degree"],
            "log spanning trees": rows["log10_spanning_trees"],
        }
        found = []
        for name, number in numbers.items():
            row = {"states": self.states, "number": name, "wirings": len(rows)} | self._correlations(context, number, rows)
            if name == "Potts transition":
                row |= {
                    "reliability": 1 - noise / float(scaled.var()),
                    "scaled_low": float(scaled.min()),
                    "scaled_high": float(scaled.max()),
                }
            found.append(row)
        return Outcome(rows=found)

    def _correlations(self, context: Context, number: pd.Series, rows: pd.DataFrame) -> dict[str, float]:
        from myths.lab.estimate import bootstrap
        from myths.wiring import regression

        ranks = np.column_stack([number.rank(), rows["error_percent"].rank()])
        known = regression.quadratic(rows["clustering"].to_numpy(), rows["path_length"].to_numpy())
        found: dict[str, float] = {}
        for name, terms in (("rho", np.ones((len(rows), 1))), ("partial", known)):
            statistic = regression.median_correlation(ranks, terms, [(0, 1)])
            estimate = bootstrap(statistic, len(rows), "models", context.rng("bootstrap"), self.resamples)
            found |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return found


def _z_scores(sampled: tuple[Array, Array], exact: tuple[float, float]) -> Iterator[float]:
    """Yield how many standard errors the mean over independent chains is from the exact mean."""
    for values, truth in zip(sampled, exact, strict=True):
        error = values.std(ddof=1) / math.sqrt(len(values))
        yield float((values.mean(dtype=float) - truth) / max(error, 1e-12))
