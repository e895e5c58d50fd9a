"""Forgetting events, counted on the device while a network trains (Toneva et al. 2019, Alg. 1, as the authors' code has it)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from myths.lab.vision.training import Batch


class ForgettingCounter:
    """What happens to each of ``n`` training examples; ``observe`` is the training loop's ``on_batch``.

    An example is presented once an epoch: in training mode, augmented, before the update that its minibatch makes. Right or
    wrong is judged there and then. A *forgetting event* is right at one presentation and wrong at the next, a *learning
    event* wrong and then right. ``margin`` is the logit of the right class minus the best other logit (the paper's
    misclassification margin, Sec. 4.1), summed over presentations. A presentation is never waited for: nothing here
    synchronizes with the device, and no example is handled by itself.

    ``snapshots`` are numbers of whole epochs after which the counts so far are kept (the paper's Fig. 7, left).
    """

    def __init__(self, n: int, device: str, snapshots: Iterable[int] = ()):
        def zeros() -> Int32[Tensor, " n"]:
            return torch.zeros(n, dtype=torch.int32, device=device)

        self.presentations = zeros()
        self.events = zeros()
        self.learning_events = zeros()
        self.first_learnt = zeros()
        """The presentation, counted from 1, at which the example was first right; 0 where it never was."""
        self.margin_sum = torch.zeros(n, dtype=torch.float32, device=device)
        self.snapshots: dict[int, Int32[Tensor, " n"]] = {}
        self._right = torch.zeros(n, dtype=torch.bool, device=device)
        self._due = set(snapshots)

    def observe(self, batch: Batch) -> None:
        """Takes in one minibatch."""
        if batch.epoch in self._due:
            self._due.remove(batch.epoch)
            self.snapshots[batch.epoch] = self.counts()
        i, logits = batch.indices, batch.logits
        target = batch.labels[:, None]
        others = logits.scatter(1, target, -torch.inf).amax(1)
        self.margin_sum[i] += logits.gather(1, target).squeeze(1) - others
        right = logits.argmax(1) == batch.labels
        before, presented = self._right[i], self.presentations[i]
        self.events[i] += before & ~right
        self.learning_events[i] += right & ~before & (presented > 0)
        presented += 1
        self.presentations[i] = presented
        first = self.first_learnt[i]
        self.first_learnt[i] = torch.where(right & (first == 0), presented, first)
        self._right[i] = right

    def counts(self) -> Int32[Tensor, " n"]:
        """Forgetting events; an example that was never right counts as forgotten at every presentation."""
        return torch.where(self.first_learnt > 0, self.events, self.presentations)

    def margin(self) -> Float[Tensor, " n"]:
        """Mean margin over presentations, in logits; 0 for an example that was never presented."""
        return self.margin_sum / self.presentations.clamp_min(1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Counts, learning_events, first_learnt, margin [n], and counts_after_K [n] for the snapshots."""
        kept = {
            "counts": self.counts(),
            "learning_events": self.learning_events,
            "first_learnt": self.first_learnt,
            "margin": self.margin(),
            **{f"counts_after_{epochs}": counts for epochs, counts in self.snapshots.items()},
        }
        return {name: value.cpu().numpy() for name, value in kept.items()}
