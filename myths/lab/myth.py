"""A myth: a belief, the papers that challenge it, and everything needed to test it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from myths.lab.claim import Claim, Verdict
from myths.lab.errors import UsageError
from myths.lab.trial import Trial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from myths.lab.store import Results, Store

Profile = Literal["quick", "laptop", "gpu", "paper"]
PROFILES: tuple[Profile, ...] = ("quick", "laptop", "gpu", "paper")


def parse_profile(word: str) -> Profile:
    """Return the profile of this name. Raises UsageError that lists the names."""
    for profile in PROFILES:
        if word == profile:
            return profile
    raise UsageError(f"there is no profile {word!r}; there are: {', '.join(PROFILES)}")


@runtime_checkable
class ListTrials(Protocol):
    """What lists the trials of a profile."""

    def __call__(self, profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
        """Return them, each once."""


def unique_trials(list_trials: ListTrials) -> ListTrials:
    """Let a function that lists trials list each once, and refuse fewer seeds than one."""

    @functools.wraps(list_trials)
    def listed(profile: Profile, seeds: int | None = None, data: tuple[str, ...] = ()) -> list[Trial]:
        if seeds is not None and seeds < 1:
            raise UsageError(f"--seeds {seeds}: at least one")
        return list({trial.id: trial for trial in list_trials(profile, seeds, data)}.values())

    return listed


def run_rank(profiles: str, primary: Iterable[Verdict]) -> tuple[int, int]:
    """Return how much a run of a myth counts; the larger counts more.

    A run that has measured more of what decides comes first: a larger machine that was stopped early says less than a smaller one that
    went to the end. Then the profile decides.

    Args:
        profiles: The profiles of the run, separated by commas.
        primary: The verdicts of its primary claims.

    Returns:
        How many primary claims were measured on real data, and the profile: paper 4, gpu 3, laptop 2, quick 1, unknown 0.
    """
    measured = sum(verdict not in (Verdict.NOT_TESTED, Verdict.ILLUSTRATION) for verdict in primary)
    return measured, max((PROFILES.index(p) + 1 for p in PROFILES if p in profiles.split(", ")), default=0)


@dataclass(frozen=True)
class Paper:
    """A reference as a reader needs it to find the paper."""

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


CONDITIONS = ("dataset", "test", "test_set", "protocol", "device", "seed", "status")
"""Columns that say in every myth what a row was measured on."""


@dataclass(frozen=True, kw_only=True)
class Myth:
    """Reads like the abstract of the paper; ``trials``, ``tables``, ``claims`` and ``figures`` are its parts.

    ``trials(profile, seeds, data)`` lists what a profile runs; ``seeds`` (None: the profile's own
    number) and ``data`` (names added with ``myths data add``) are what a user may vary.
    ``meanings`` says for each verdict, in a sentence, what it means for the belief.
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
    """Like figures, but they show images of data sets, so they are never published; from the tables and the stored arrays."""
    summarize_user_data: Callable[[Mapping[str, pd.DataFrame]], str | None] | None = None
    """What a run found of the user's own data, in sentences; None where it holds none."""
    better: Mapping[str, Literal["higher", "lower"]] = field(default_factory=dict)
    """Column of a table -> which of its numbers are better; `myths table` prints the best of these columns in bold."""
    conditions: tuple[str, ...] = ()
    """Columns that say, beside ``CONDITIONS``, what a row was measured on: only rows that agree in all of them are compared."""
    example: Callable[[], str] | None = None
    """Something to look at that ``myths show`` works out on the spot."""

    @property
    def folder(self) -> str:
        """The name as a Python identifier: the folder in the package and in a run."""
        return self.name.replace("-", "_")

    def command(self, profile: str = "") -> str:
        """Return what to type to run it: the make target of a myth of this repository, else the full command."""
        if self.trial_types[0].__module__.startswith(f"{__name__.partition('.')[0]}."):
            return f"make {self.name}" + (f" PROFILE={profile}" if profile else "")
        return f"myths run {self.name}" + (f" --profile {profile}" if profile else "")

    @property
    def types_by_name(self) -> dict[str, type[Trial]]:
        """For decoding stored trials, those that are only dependencies included."""
        return {kind.__name__: kind for kind in self.trial_types}

    def verdict_text(self, verdict: Any) -> str:
        """One sentence on what a verdict on the myth says of the belief."""
        return self.verdict_texts[str(verdict)]
