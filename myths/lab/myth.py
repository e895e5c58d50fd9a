"""A myth: a belief, the papers that challenge it, and the parts that test it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from myths.lab.claim import Claim
from myths.lab.errors import UsageError
from myths.lab.trial import Trial
from myths.lab.verdict import MythJudgment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.storage.store import Results, Store

Profile = Literal["quick", "laptop", "overnight", "gpu", "paper"]
PROFILES: tuple[Profile, ...] = ("quick", "laptop", "overnight", "gpu", "paper")


def parse_profile(word: str) -> Profile:
    """Return the profile of this name.

    Raises:
        UsageError: There is no such profile.
    """
    for profile in PROFILES:
        if word == profile:
            return profile
    raise UsageError(f"Unknown profile {word!r}. Available: {', '.join(PROFILES)}")


@runtime_checkable
class ListTrials(Protocol):
    """A function that lists the trials of a profile."""

    def __call__(self, profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
        """Return the trials of a profile.

        Args:
            profile: The profile.
            seeds: Number of seeds. Default: that of the profile.
            data: Names of user datasets.
        """


def unique_trials(list_trials: ListTrials) -> ListTrials:
    """Decorate a function that lists trials: remove duplicates and check the number of seeds."""

    @functools.wraps(list_trials)
    def listed(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
        if seeds is not None and seeds < 1:
            raise UsageError(f"Invalid --seeds {seeds}: expected at least 1")
        return list({trial.id: trial for trial in list_trials(profile, seeds, data)}.values())

    return listed


@dataclass(frozen=True)
class Paper:
    """A bibliographic reference."""

    authors: str
    year: int
    title: str
    venue: str
    url: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}). {self.title}. {self.venue}. {self.url}"


ARTICLE = Paper(
    "O. Chang, H. Lipson", 2019, "Seven Myths in Machine Learning Research", "arXiv 1902.06789", "https://arxiv.org/abs/1902.06789"
)
"""The article that collected the seven beliefs."""
COLLECTED = 7
"""Number of beliefs in ``ARTICLE``. Myths with a larger number are further beliefs, which lists show apart, after the seven."""
FURTHER = "Further beliefs"
"""Title of the part of a list that holds them."""


CONDITIONS = ("dataset", "test", "test_set", "protocol", "device", "seed", "status")
"""Columns of every myth that state what a row was measured on."""


@dataclass(frozen=True, kw_only=True)
class Myth:
    """A belief with the trials, tables, claims and figures that test it. It reads like the abstract of a paper.

    Attributes:
        name: Name on the command line.
        number: Position in the list of myths; above ``COLLECTED`` for a further belief.
        belief: The belief as one sentence.
        rebuttal: What the papers found.
        discussion: Arguments for and against the belief, and what has changed since.
        papers: Papers that challenge the belief.
        trial_types: Classes of the trials, including classes that are only dependencies.
        trials: Lists the trials of a profile. Arguments: profile, number of seeds (None: that of the profile), names of user datasets.
        tables: Functions from stored results to a table, by name.
        claims: Claims of the papers, with their criteria.
        figures: Functions from the tables to a figure, or None if there is nothing to plot, by name.
        verdict_texts: What "refuted" and "standing" mean for the belief, as one sentence each.
        pictures: Functions from the tables and the stored arrays to a figure, by name. These figures show images of datasets and are never
            published.
        summarize_user_data: Returns what a run found about the user's data as text, or None if the run has no user data.
        better: Whether higher or lower values of a column are better. ``myths table`` prints the best values in bold.
        conditions: Columns that, in addition to ``CONDITIONS``, state what a row was measured on. Only rows that agree in all of them are
            compared.
        example: Returns an example that ``myths show`` computes and prints.
    """

    name: str
    number: int
    belief: str
    rebuttal: str
    discussion: str
    papers: tuple[Paper, ...]
    trial_types: tuple[type[Trial], ...]
    trials: Callable[[Profile, int | None, tuple[str, ...]], Sequence[Trial]]
    tables: Mapping[str, Callable[[Results], pd.DataFrame]]
    claims: tuple[Claim, ...]
    figures: Mapping[str, Callable[[Mapping[str, pd.DataFrame]], Figure | None]]
    verdict_texts: Mapping[str, str]
    pictures: Mapping[str, Callable[[Mapping[str, pd.DataFrame], Store], Figure | None]] = field(default_factory=dict)
    summarize_user_data: Callable[[Mapping[str, pd.DataFrame]], str | None] | None = None
    better: Mapping[str, Literal["higher", "lower"]] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    example: Callable[[], str] | None = None

    @property
    def folder(self) -> str:
        """The name as a Python identifier: the folder in the package and in a run."""
        return self.name.replace("-", "_")

    @property
    def is_further(self) -> bool:
        """Whether the belief is not one of the seven of ``ARTICLE``."""
        return self.number > COLLECTED

    def command(self, profile: str = "") -> str:
        """Return the command that runs the myth: the make target of a myth of this repository, or ``myths run``."""
        if self.trial_types[0].__module__.startswith(f"{__name__.partition('.')[0]}."):
            return f"make {self.name}" + (f" PROFILE={profile}" if profile else "")
        return f"myths run {self.name}" + (f" --profile {profile}" if profile else "")

    @property
    def types_by_name(self) -> dict[str, type[Trial]]:
        """Trial classes by name, for decoding stored trials."""
        return {kind.__name__: kind for kind in self.trial_types}

    def verdict_text(self, judgment: MythJudgment) -> str:
        """Return what the verdict on the myth means for the belief and why it is no stronger."""
        meaning = self.verdict_texts.get(str(judgment.verdict).removeprefix("leans "), "")
        return f"{meaning} {judgment.reason}".strip()
