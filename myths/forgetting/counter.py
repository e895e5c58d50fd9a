"""Counter of forgetting events, on the device of the training run (Toneva et al. 2019, Alg. 1, as in the authors' code)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from myths.lab.vision.training import Batch


class ForgettingCounter:
    """Statistics of each training example during a training run. Pass ``observe`` to the training loop as the hook ``on_batch``.

    Each example is presented once per epoch: augmented, in training mode, before the update of its minibatch. Its prediction at this
    moment is correct or not. A *forgetting event* is a correct presentation followed by an incorrect one, a *learning event* the opposite.
    ``margin`` is the logit of the correct class minus the largest other logit (the paper's misclassification margin, Sec. 4.1), summed over
    presentations. The counter never waits for the device, has no loop over examples and can be recorded with the training step.

    Args:
        n: Number of training examples.
        device: Device of the training run.
        snapshots: Numbers of presentations after which the counts of an example are stored (the paper's Fig. 7, left).
    """

    def __init__(self, n: int, device: str, snapshots: Iterable[int] = ()):
        def zeros() -> Int32[Tensor, " n"]:
            return torch.zeros(n, dtype=torch.int32, device=device)

        self.n_presentations = zeros()
        self.events = zeros()
        self.learning_events = zeros()
        self.first_learned = zeros()
        """First presentation, counted from 1, at which the example was correct; 0 if it never was."""
        self.margin_sum = torch.zeros(n, dtype=torch.float32, device=device)
        self._snapshots = {presentations: zeros() for presentations in snapshots}
        self._correct = torch.zeros(n, dtype=torch.bool, device=device)

    def observe(self, batch: Batch) -> None:
        """Update the statistics with one minibatch."""
        i, logits = batch.indices, batch.logits
        target = batch.labels[:, None]
        others = logits.scatter(1, target, -torch.inf).amax(1)
        self.margin_sum[i] += logits.gather(1, target).squeeze(1) - others
        correct = logits.argmax(1) == batch.labels
        before, presented = self._correct[i], self.n_presentations[i]
        self.events[i] += before & ~correct
        self.learning_events[i] += correct & ~before & (presented > 0)
        presented += 1
        self.n_presentations[i] = presented
        first = self.first_learned[i]
        first = torch.where(correct & (first == 0), presented, first)
        self.first_learned[i] = first
        self._correct[i] = correct
        if self._snapshots:
            counts = torch.where(first > 0, self.events[i], presented)
            for presentations, stored in self._snapshots.items():
                stored[i] = torch.where(presented == presentations, counts, stored[i])

    @property
    def snapshots(self) -> dict[int, Int32[Tensor, " n"]]:
        """Counts after the numbers of presentations that the training run exceeded."""
        presented = int(self.n_presentations.max()) if len(self.n_presentations) else 0
        return {presentations: counts for presentations, counts in self._snapshots.items() if presentations < presented}

    def counts(self) -> Int32[Tensor, " n"]:
        """Return the number of forgetting events; for an example that was never correct, the number of presentations."""
        return torch.where(self.first_learned > 0, self.events, self.n_presentations)

    def margin(self) -> Float[Tensor, " n"]:
        """Return the mean margin over presentations, in logits; 0 for an example that was never presented."""
        return self.margin_sum / self.n_presentations.clamp_min(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return counts, learning_events, first_learned, margin, and counts_after_K for each snapshot after K presentations."""
        tensors = {
            "counts": self.counts(),
            "learning_events": self.learning_events,
            "first_learned": self.first_learned,
            "margin": self.margin(),
            **{f"counts_after_{epochs}": counts for epochs, counts in self.snapshots.items()},
        }
        return {name: value.cpu().numpy() for name, value in tensors.items()}
