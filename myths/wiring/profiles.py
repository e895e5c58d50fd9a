"""The trials of each profile."""

from __future__ import annotations

from typing import get_args

from myths.lab.myth import Profile, unique_trials
from myths.lab.trial import Trial
from myths.wiring.facts import Network
from myths.wiring.trials import (
    CheckIdentity,
    CompareEpochs,
    CompareNetworks,
    CompareOtherCollection,
    CompareShapes,
    FitFewWirings,
    FitSurface,
    MapErrors,
    Predict,
    RegenerateWirings,
    SelectBest,
    TrainWirings,
)
from myths.wiring.trials.exact import Identity
from myths.wiring.trials.training import Arm

ARMS: tuple[Arm, ...] = get_args(Arm)
TESTED: tuple[Arm, ...] = ("ring-like", "small-world")
"""The arms of claim W8. The profile "laptop" trains the others on half as many seeds."""


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
    return trained if profile == "overnight" else [*exact(profile), *recomputed(), *trained]


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
        FitSurface(network="MLP", densities="0.125 to 0.15"),
        CompareNetworks(),
        *(SelectBest(network=network) for network in networks),
        FitFewWirings(),
        *(CompareEpochs(network=network) for network in networks if network != "MLP"),
        *(CompareOtherCollection(nodes=nodes) for nodes in (30, 60)),
    ]


def train(profile: Profile, seeds: int | None) -> list[Trial]:
    """Return the networks that the suite trains; seeds of all arms first, so that a time budget ends with complete pairs."""
    if profile == "quick":
        return [
            TrainWirings(dataset="digits", arm=arm, graphs=4, nodes=16, degree=4, stem=64, epochs=10, seed=seed)
            for seed in range(seeds or 2)
            for arm in ARMS
        ]
    n_seeds, graphs, epochs, train_examples = {
        "laptop": (8, 1, 8, 10_000),
        "overnight": (16, 1, 30, 25_000),
        "gpu": (3, 4, 30, 0),
        "paper": (8, 2, 200, 0),
    }[profile]
    count = seeds or n_seeds
    return [
        TrainWirings(dataset="cifar10", arm=arm, graphs=graphs, epochs=epochs, train_examples=train_examples, seed=seed)
        for seed in range(count)
        for arm in ARMS
        if arm in TESTED or profile != "laptop" or 2 * seed < count
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
