"""The trials of each profile."""

from __future__ import annotations

from typing import get_args

from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.wiring.facts import SAME_WIRINGS, Network
from myths.wiring.measures import FRESH_SEED
from myths.wiring.trials import (
    CheckIdentity,
    CheckSampler,
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    CorrelateTransitions,
    FitFewWirings,
    FitSurface,
    LocateTransition,
    MapErrors,
    Predict,
    PredictHeldOut,
    RegenerateWirings,
    SampleWirings,
    SelectBest,
    TrainWirings,
)
from myths.wiring.trials.exact import Identity
from myths.wiring.trials.potts import Dynamics, Family
from myths.wiring.trials.training import Arm

ARMS: tuple[Arm, ...] = get_args(Arm)
TESTED: tuple[Arm, ...] = ("ring-like", "small-world")
"""The arms of claim W8."""


@unique_trials
def trials(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
    """Return the trials of a profile.

    Args:
        profile: Name of the profile. The recomputed trials and the exact controls are the same in all; "overnight" trains only.
        seeds: Number of seeds of the trained networks. Default: that of the profile.
        data: Graphs of the user. If there are any, only their errors are predicted.

    Raises:
        UsageError: A dataset is no graph.
    """
    if data:
        return [Predict(graph=name) for name in data if check_graph(name)]
    trained = train(profile, seeds)
    return trained if profile == "overnight" else [*exact(profile), *recomputed(), *sampled(profile, seeds), *trained]


def exact(profile: Profile) -> list[Trial]:
    """Return the controls."""
    graphs, most_edges = (24, 9) if profile == "quick" else (200, 12)
    identities: tuple[Identity, ...] = get_args(Identity)
    wirings = 150 if profile == "quick" else 3942
    return [
        RegenerateWirings(wirings=wirings),
        *(CheckIdentity(identity=identity, graphs=graphs, most_edges=most_edges) for identity in identities),
    ]


def recomputed() -> list[Trial]:
    """Return the trials on published errors."""
    networks: tuple[Network, ...] = get_args(Network)
    return [
        CompareShapes(),
        MapErrors(),
        *(FitSurface(network=network) for network in networks),
        *(PredictHeldOut(network=network) for network in SAME_WIRINGS),
        FitSurface(network="MLP", densities="0.125 to 0.15"),
        CompareNetworks(),
        *(SelectBest(network=network) for network in networks),
        FitFewWirings(),
        *(CompareEpochs(network=network) for network in networks if network != "MLP"),
        *(CompareOtherCollection(nodes=nodes) for nodes in (30, 60)),
    ]


def sampled(profile: Profile, seeds: int | None) -> list[Trial]:
    """Return the trials that sample the Potts model. Families of graphs have seeds; wirings are sampled once, in parts."""
    dynamics: tuple[Dynamics, ...] = get_args(Dynamics)
    families: tuple[Family, ...] = get_args(Family)
    states, parts, wirings, wiring_sweeps = {
        "quick": ((2,), 1, 20, 1000),
        "laptop": ((2, 3), 4, 40, 3000),
    }.get(profile, ((2, 3, 4), 3, 200, 10_000))
    nodes, chains, sweeps, n_seeds = {"quick": (256, 4, 160, 3), "laptop": (1024, 4, 400, 6)}.get(profile, (4096, 16, 2000, 4))
    curves = [
        LocateTransition(family=family, states=q, nodes=nodes, chains=chains, sweeps=sweeps, seed=seed)
        for seed in range(seeds or n_seeds)
        for family in families
        for q in ((2,) if profile == "quick" else (2, 3))
        if family == "square lattice" or (q == 2 and 2 * seed < (seeds or n_seeds) and (profile != "quick" or seed == 0))
    ]
    of_wirings: list[Trial] = []
    for q in states:
        part = [SampleWirings(states=q, wirings=wirings, first=i * wirings, sweeps=wiring_sweeps) for i in range(parts)]
        of_wirings += [*part, CorrelateTransitions(sampled=tuple(part))]
    return [*(CheckSampler(dynamics=each, graphs=2 if profile == "quick" else 6) for each in dynamics), *curves, *of_wirings]


def train(profile: Profile, seeds: int | None) -> list[Trial]:
    """Return the networks that the suite trains, those of W8 last; pair by pair, so that a time budget ends with complete pairs.

    In the profile "laptop", all arms have four seeds, of which a figure is made, and the two of W8 have 32 more.
    """
    if profile == "quick":
        return [
            TrainWirings(dataset="digits", arm=arm, graphs=4, nodes=16, degree=4, stem=64, epochs=10, seed=seed)
            for seed in range(seeds or 2)
            for arm in ARMS
        ]
    n_seeds, graphs, epochs, train_examples = {
        "laptop": (32, 1, 8, 10_000),
        "overnight": (16, 1, 30, 25_000),
        "gpu": (3, 4, 30, 0),
        "paper": (8, 2, 200, 0),
    }[profile]
    fresh = range(FRESH_SEED, FRESH_SEED + (seeds or n_seeds))
    pairs = [(seed, arm) for seed in fresh for arm in (TESTED if profile == "laptop" else ARMS)]
    if profile == "laptop":
        pairs = [(seed, arm) for seed in range(min(seeds or 4, 4)) for arm in ARMS] + pairs
    return [
        TrainWirings(dataset="cifar10", arm=arm, graphs=graphs, epochs=epochs, train_examples=train_examples, seed=seed)
        for seed, arm in pairs
    ]


def check_graph(name: str) -> bool:
    """Return True for a graph of the user.

    Raises:
        UsageError: The dataset is something else.
        CannotStart: There is no such dataset.
    """
    from myths.lab.data import prepared, user_graphs
    from myths.lab.errors import UsageError

    if prepared.require(name).kind == "arrays" and user_graphs.holds_graph(tuple(prepared.load(name))):
        return True
    raise UsageError(
        f"{name} is no graph: add an edge list with `myths data add NAME graph.csv`; the myth trains on no dataset of the user"
    )
