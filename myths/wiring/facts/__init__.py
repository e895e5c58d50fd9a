"""Published tables of wirings and their errors; NOTICE.txt gives sources and licenses."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import pandas as pd

Network = Literal["MLP", "CNN-6", "ResNet-34", "ResNet-34-sep", "ResNet-50", "EfficientNet-B0"]
"""Networks of You et al. 2020. The MLP was trained on CIFAR-10, the others on ImageNet."""
Sharing = Literal["MLP", "CNN-6", "ResNet-34", "ResNet-34-sep", "ResNet-50"]
"""Networks that share 52 wirings of 64 nodes; EfficientNet-B0 has 48 wirings of 16 nodes."""
SAME_WIRINGS: tuple[Sharing, ...] = get_args(Sharing)
WIRING = ("density", "rewire_probability", "graph_seed")
"""Columns that determine a wiring."""


@functools.cache
def table(name: Literal["mlp_cifar10", "imagenet", "imagenet_epochs", "random_graph_cnns"]) -> pd.DataFrame:
    """Return a published table. Do not modify it: it is read once per process."""
    import pandas as pd

    return pd.read_csv(Path(__file__).with_name(f"{name}.csv.gz"), dtype={"graph_seed": str})


def errors(network: Network) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the wirings of a network and its complete graph (one row), with the test error per training seed in percent."""
    if network == "MLP":
        rows = table("mlp_cifar10")
    else:
        rows = table("imagenet")
        rows = rows[rows["network"] == network].drop(columns="network")
    return rows[rows["graph_seed"] != "complete"].reset_index(drop=True), rows[rows["graph_seed"] == "complete"].reset_index(drop=True)


def seed_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns that hold the test error, one per training seed."""
    return [column for column in rows if column.startswith("error")]
