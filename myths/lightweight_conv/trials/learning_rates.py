"""Select the learning rate of a training run from shorter runs, each of which is a trial."""

from __future__ import annotations

import math
from typing import Any

from myths.lab.errors import CannotStart
from myths.lab.trial import Context


def selected_learning_rate(trial: Any, context: Context) -> float:
    """Return the learning rate of the candidate with the smallest validation loss. A candidate that diverged has an infinite loss.

    Args:
        trial: A trial with ``learning_rate`` and ``candidates``.
        context: Returns the outcomes of the candidates.

    Returns:
        The learning rate of the trial itself if it has no candidates.

    Raises:
        CannotStart: All candidates diverged.
    """
    if not trial.candidates:
        return float(trial.learning_rate)
    losses = {each.learning_rate: context.outcome(each).rows[0].get("valid_loss_nats") for each in trial.candidates}
    finite = {rate: loss for rate, loss in losses.items() if loss is not None and math.isfinite(loss)}
    if not finite:
        raise CannotStart(f"{type(trial).__name__}: the training runs with all learning rates diverged: {', '.join(map(str, losses))}")
    return float(min(finite, key=lambda rate: finite[rate]))
