"""The outcomes of the dependencies of a trial, in a form that travels to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from myths.lab.trial import Outcome, Trial


@dataclass(frozen=True)
class DependencyOutcomes:
    """The outcomes that a trial may look up. Picklable, so that a worker process can use it."""

    by_id: Mapping[str, Outcome]

    def __call__(self, trial: Trial) -> Outcome:
        """Return the outcome of a dependency.

        Raises:
            LookupError: ``trial`` is not a dependency.
        """
        if trial.id not in self.by_id:
            raise LookupError(f"{trial} is not a dependency of this trial. Declare it as a field of the trial")
        return self.by_id[trial.id]
