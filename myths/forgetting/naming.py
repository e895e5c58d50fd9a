"""What tables and claims call trials: the data set, the order of a removal, and what it goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from myths.forgetting.train_kept import TrainKept
    from myths.forgetting.training import Training

LEAST_FORGOTTEN = "least forgotten first"


def dataset_name(trial: Training) -> str:
    """The set as tables call it: permuted or not, whole or only its first examples."""
    name = f"permuted {trial.dataset}" if trial.permuted else trial.dataset
    return f"{name} subset" if trial.train_examples else name


def ranked_by(trial: TrainKept) -> str:
    """What the removal goes by: "forgetting", a method of scoring with its epochs, or nothing."""
    if not trial.ranking:
        return ""
    from myths.forgetting.trials import CountForgetting

    first = trial.ranking[0]
    return "forgetting" if isinstance(first, CountForgetting) else f"{first.method} after {first.epochs:g} epochs"


def order_name(ranked_by: str, order: str) -> str:
    """The order of a removal in words."""
    counts = {"lowest first": LEAST_FORGOTTEN, "highest first": "most forgotten first", "shuffled": "shuffled counts"}
    if ranked_by == "forgetting":
        return counts[order]
    return f"{ranked_by}, {order}" if ranked_by else order


def counted_with(trial: TrainKept) -> str:
    """The network whose counts or scores the removal goes by."""
    return trial.ranking[0].network if trial.ranking else ""
